// Package client finds a Toolcell server, connects to it, and reads its refusals.
package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// Connect opens a connection and returns it with a context that presents the token.
//
// TOOLCELL_SERVER and TOOLCELL_TOKEN or TOOLCELL_TOKEN_FILE name server and token, else they are those of the dev
// server here. TLS is used but for a server on this machine without TOOLCELL_CA: PEM certificates to trust;
// TOOLCELL_CERT and TOOLCELL_KEY are the client's own.
func Connect(ctx context.Context) (*grpc.ClientConn, context.Context, error) {
	address, token, err := findServer()
	if err != nil {
		return nil, nil, err
	}
	security, err := security(address)
	if err != nil {
		return nil, nil, err
	}
	connection, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(security), grpc.WithNoProxy())
	if err != nil {
		return nil, nil, err
	}
	return connection, metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token), nil
}

func findServer() (address, token string, err error) {
	state := ".toolcell"
	if set := os.Getenv("TOOLCELL_STATE_DIRECTORY"); set != "" {
		state = set
	}
	address = os.Getenv("TOOLCELL_SERVER")
	file := os.Getenv("TOOLCELL_TOKEN_FILE")
	if address == "" {
		if address, err = line(filepath.Join(state, "address")); err != nil {
			return "", "", fmt.Errorf("%w. Start `toolcell dev`, or set TOOLCELL_SERVER and a token", err)
		}
		if file == "" {
			file = filepath.Join(state, "dev.key")
		}
	}
	if token = os.Getenv("TOOLCELL_TOKEN"); token != "" {
		return address, token, nil
	}
	if file == "" { // the dev server's key is for the dev server alone
		return "", "", errors.New("TOOLCELL_TOKEN_FILE is not there")
	}
	token, err = line(file)
	return address, token, err
}

func line(file string) (string, error) {
	text, err := os.ReadFile(file)
	return strings.TrimSpace(string(text)), err
}

func security(address string) (credentials.TransportCredentials, error) {
	ca := os.Getenv("TOOLCELL_CA")
	if ca == "" && isLoopback(address) {
		return insecure.NewCredentials(), nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no PEM certificate", ca)
		}
	}
	if certificate := os.Getenv("TOOLCELL_CERT"); certificate != "" {
		pair, err := tls.LoadX509KeyPair(certificate, os.Getenv("TOOLCELL_KEY"))
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return credentials.NewTLS(config), nil
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}
