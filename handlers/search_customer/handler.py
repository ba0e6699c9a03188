"""Looks customers up in an SQLite file that the cell may read but not write."""

import sqlite3
from contextlib import closing
from pathlib import Path

from toolcell import ToolError

DATABASE = Path(__file__).resolve().parent / "data" / "customers.db"

BY_ID = "SELECT * FROM customers WHERE customer_id = ?"
BY_EMAIL = "SELECT * FROM customers WHERE email = ? ORDER BY customer_id LIMIT 50"


def handler(arguments: dict, cell) -> dict:
    """Returns every customer whose id or email address is the query."""
    query = arguments["query"]
    if not DATABASE.exists():
        cell.log("no customers.db: run handlers/search_customer/seed.py", level="error")
        raise ToolError("The customer database is not set up on the server. Do not retry; tell the user.")
    # immutable=1: no locks and no journal, so a cell that may only read can open it
    with closing(sqlite3.connect(f"{DATABASE.as_uri()}?immutable=1&mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        rows = database.execute(BY_EMAIL if "@" in query else BY_ID, (query,)).fetchall()
    cell.log("searched", found=len(rows))
    return {"customers": [customer(row) for row in rows]}


def customer(row: sqlite3.Row) -> dict:
    """Returns a row as ProtoJSON, which writes 64-bit integers as strings."""
    return {**dict(row), "lifetime_value_cents": str(row["lifetime_value_cents"])}
