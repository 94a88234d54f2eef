// Origin: the server behind the peers, and its certificate.

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"time"
)

func serve(l net.Listener, f func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go f(c)
	}
}

func answerOnce(c net.Conn) {
	defer c.Close()
	buf := make([]byte, 1024)
	if _, err := c.Read(buf); err == nil {
		c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	}
}

func streamZeros(c net.Conn) {
	defer c.Close()
	buf := make([]byte, 1<<18)
	if _, err := c.Read(buf); err != nil {
		return
	}
	for {
		if _, err := c.Write(buf); err != nil {
			return
		}
	}
}

// captureHello returns the ClientHello that crypto/tls sends for a name.
func captureHello(name string) []byte {
	client, server := net.Pipe()
	go tls.Client(client, &tls.Config{ServerName: name}).Handshake()
	buf := make([]byte, 1<<14)
	n, _ := server.Read(buf)
	server.Close()
	return buf[:n]
}

func selfSigned() (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	text := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, text, err
}
