package protocol

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// authority signs certificates for a test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, pool: x509.NewCertPool()}
	made := a.sign(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, "authority")
	a.cert, a.key = made.Leaf, made.PrivateKey.(*ecdsa.PrivateKey)
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) sign(template *x509.Certificate, name string) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.Subject = pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestCertificatesAreLetInWithTheRightsTheyHave(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	serving := ours.sign(&x509.Certificate{
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, "agent")
	node := &madeUp{board: NewBoard()}
	node.board.Put(GroupSummary{Group: "default"})
	node.change = func(context.Context, ChangeRequest) (Receipt, error) { return Receipt{Outcome: Done}, nil }
	server, err := NewServer(node, node.board, Options{CertificateRights: func(cert *x509.Certificate) Rights {
		return map[string]Rights{"console": MayChange, "watcher": MayRead}[cert.Subject.CommonName]
	}})
	if err != nil {
		t.Fatal(err)
	}
	stop, at, err := server.Listen("127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{serving}, ClientCAs: ours.pool, ClientAuth: tls.VerifyClientCertIfGiven,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	usage := func() *x509.Certificate {
		return &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	}
	for _, c := range []struct {
		name            string
		certificates    []tls.Certificate
		status, changes int
	}{
		{"nobody", nil, 401, 401},
		{"a stranger of ours", []tls.Certificate{ours.sign(usage(), "stranger")}, 401, 401},
		{"a watcher", []tls.Certificate{ours.sign(usage(), "watcher")}, 200, 403},
		{"a console", []tls.Certificate{ours.sign(usage(), "console")}, 200, 200},
		{"a console of somebody else's", []tls.Certificate{others.sign(usage(), "console")}, 0, 0},
	} {
		client := &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: ours.pool, Certificates: c.certificates},
		}}
		response, err := client.Get("https://" + at.String() + Base + "/identity")
		switch {
		case c.status == 0:
			// Not offered to a server that names other authorities, or refused by it.
			if err == nil && response.StatusCode != 401 {
				t.Errorf("%s: %s", c.name, response.Status)
			}
		case err != nil:
			t.Errorf("%s: %v", c.name, err)
		case response.StatusCode != c.status:
			t.Errorf("%s: %s", c.name, response.Status)
		}
		if response != nil {
			_ = response.Body.Close()
		}
		changed, err := client.Post("https://"+at.String()+Base+"/groups/default/changes", "application/json", strings.NewReader(`{"action":"snapshot"}`))
		if err == nil {
			_ = changed.Body.Close()
			if changed.StatusCode != c.changes && (c.changes != 0 || changed.StatusCode != 401) {
				t.Errorf("%s changes: %s", c.name, changed.Status)
			}
		}
		client.CloseIdleConnections()
	}
}

func TestACertificateThatTLSHasNotVerifiedIsNone(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	node := &madeUp{board: NewBoard()}
	server, err := NewServer(node, node.board, Options{CertificateRights: EverybodyWith(MayChange)})
	if err != nil {
		t.Fatal(err)
	}
	// A host that asks for certificates and leaves it at that.
	stop, at, err := server.Listen("127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{ours.sign(&x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}, "agent")},
		ClientAuth:   tls.RequireAnyClientCert,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: ours.pool, Certificates: []tls.Certificate{others.sign(&x509.Certificate{}, "console")},
	}}}
	defer client.CloseIdleConnections()
	response, err := client.Get("https://" + at.String() + Base + "/identity")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusUnauthorized {
		t.Fatal(response.Status)
	}
}
