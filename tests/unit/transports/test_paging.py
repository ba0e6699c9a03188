"""A page token continues the query it was made for, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolcell.model.errors import PageTokenInvalid, RequestInvalid
from toolcell.transports.grpc import paging
from toolcell.v1.tool_service_pb2 import ListToolsRequest

QUERY = paging.query("ListTools", "ada")


def opened(token: str, query: bytes = QUERY) -> str:
    return paging.open_page(ListToolsRequest(page_token=token), query, 10).cursor


def token(cursor: str, query: bytes = QUERY) -> str:
    return paging.Page(query, "", 10).token(cursor)


@given(st.text(max_size=64), st.binary(max_size=64))
def test_a_token_gives_its_cursor_back(cursor: str, query: bytes) -> None:
    assert opened(token(cursor, query), query) == cursor


@given(st.text())
def test_no_other_text_is_a_token(text: str) -> None:
    if text not in ("", token("")):
        with pytest.raises(PageTokenInvalid):
            opened(text)


@given(st.integers(min_value=0, max_value=10_000), st.characters(codec="ascii"), st.text(max_size=3))
def test_a_token_that_was_edited_is_refused(place: int, letter: str, cursor: str) -> None:
    whole = token(cursor)
    place %= len(whole)
    edited = whole[:place] + letter + whole[place + 1 :]
    if edited != whole:
        with pytest.raises(PageTokenInvalid):
            opened(edited)


def test_a_token_of_another_query_or_caller_is_refused() -> None:
    for other in (
        paging.query("ListTools", "bob"),
        paging.query("ListToken", "sada"),
        paging.query("ListTools", "ada", b""),
    ):
        with pytest.raises(PageTokenInvalid):
            opened(token("a", other))


@pytest.mark.parametrize("size", [-1, 1001, 2**31 - 1, -(2**31)])
def test_a_page_size_out_of_bounds_is_refused_by_its_path(size: int) -> None:
    with pytest.raises(RequestInvalid) as refused:
        paging.open_page(ListToolsRequest(page_size=size), QUERY, 10)
    assert refused.value.violations[0].field == "page_size"


def test_no_size_means_the_usual_one() -> None:
    assert paging.open_page(ListToolsRequest(), QUERY, 7).rows == 7
    assert paging.open_page(ListToolsRequest(page_size=1000), QUERY, 7).rows == 1000


def test_a_page_is_full_by_rows_or_by_bytes_but_its_first_row_always_fits() -> None:
    page = paging.Page(QUERY, "", rows=2, bytes=10)
    assert [page.takes(size) for size in (11, 0)] == [True, False]
    page = paging.Page(QUERY, "", rows=2, bytes=10)
    assert [page.takes(size) for size in (5, 5, 0)] == [True, True, False]
