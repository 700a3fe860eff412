package rig

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/supportbackend/support/internal/dev/groqsim"
)

// certificateVariable names the file of the authorities that Go trusts.
const certificateVariable = "SSL_CERT_FILE"

// startSimulator serves the simulator as Groq is served, over TLS and HTTP/2, or as local servers are, over plain HTTP/1.1.
func (r *Rig) startSimulator(ctx context.Context, plain bool) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	r.Simulator = groqsim.New(groqsim.Options{})
	server := &http.Server{Handler: r.Clock.Stamped(r.Simulator), ReadHeaderTimeout: 5 * time.Second}
	r.closers = append(r.closers, func() {
		r.Simulator.Close()
		_ = server.Close()
		_ = listener.Close() // The server may not have begun to serve.
	})
	if plain {
		r.Upstream = "http://" + listener.Addr().String()
		go func() { _ = server.Serve(listener) }()
		return nil
	}
	certificate, err := newCertificate()
	if err != nil {
		return err
	}
	// This process, which also asks the simulator, and those that it starts trust nothing else.
	file := filepath.Join(r.dir, "simulator.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	if err := os.Setenv(certificateVariable, file); err != nil {
		return err
	}
	server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13}
	r.Upstream = "https://" + listener.Addr().String()
	go func() { _ = server.ServeTLS(listener, "", "") }()
	return nil
}

// newCertificate returns a certificate for the loopback address that nobody has signed but itself.
func newCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().AddDate(0, 0, 1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	text, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{text}, PrivateKey: key}, err
}
