// Command mailsink is an SMTP server on this machine for tests and demonstrations: it keeps every mail
// in a folder and gives none away. It ends when its standard input does.
//
//	mailsink -listen 127.0.0.1:0 -dir FOLDER -tls starttls -ca-out ca.pem -user taro -password-file FILE
//
// It prints where it listens. A file named "fault" in the folder makes it misbehave from the next
// connection on: "later" (451), "refuse ADDRESS" (550), "stall", "no-auth" (535).
package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mailsink:", err)
		os.Exit(1)
	}
}

type sink struct {
	dir, user, password string
	mu                  sync.Mutex
	count               int
}

func run(args []string) error {
	flags := flag.NewFlagSet("mailsink", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "where it listens")
	dir := flags.String("dir", "", "folder for the mails")
	protection := flags.String("tls", "starttls", "starttls, implicit or none")
	caOut := flags.String("ca-out", "", "file for the certificate that vouches for it")
	user := flags.String("user", "", "who may sign in; empty: nobody has to")
	passwordFile := flags.String("password-file", "", "file with that user's password")
	if err := flags.Parse(args); err != nil {
		return err
	}
	k := &sink{dir: *dir, user: *user}
	if *passwordFile != "" {
		text, err := os.ReadFile(*passwordFile)
		if err != nil {
			return err
		}
		k.password = strings.TrimSpace(string(text))
	}
	server := smtp.NewServer(k)
	server.Domain = "mailsink.test"
	server.MaxMessageBytes = 8 << 20
	server.MaxRecipients = 100
	server.ReadTimeout, server.WriteTimeout = time.Minute, time.Minute
	server.ErrorLog = log.New(io.Discard, "", 0)
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	if *protection != "none" {
		config, err := certificate(*caOut)
		if err != nil {
			return err
		}
		if *protection == "implicit" {
			l = tls.NewListener(l, config)
		} else {
			server.TLSConfig = config
		}
	}
	fmt.Println(l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if err := server.Serve(l); !errors.Is(err, smtp.ErrServerClosed) {
		return err
	}
	return nil
}

// certificate makes a CA and a server of it, for this machine's loopback names.
func certificate(caOut string) (*tls.Config, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mailsink CA"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "mailsink"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return nil, err
	}
	if caOut != "" {
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
		if err := os.WriteFile(caOut, text, 0o600); err != nil {
			return nil, err
		}
	}
	return &tls.Config{MinVersion: tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, nil
}

// NewSession is the library's.
func (k *sink) NewSession(c *smtp.Conn) (smtp.Session, error) {
	text, _ := os.ReadFile(filepath.Join(k.dir, "fault"))
	fault, subject, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if fault == "stall" {
		_, _ = io.Copy(io.Discard, c.Conn()) // until the other side gives up
	}
	_, secure := c.TLSConnectionState()
	return &session{sink: k, fault: fault, subject: subject, mail: Mail{TLS: secure, HELO: c.Hostname()}}, nil
}

// Mail is what is kept of a mail, as NUMBER.json beside NUMBER.eml.
type Mail struct {
	From string   `json:"from"`
	To   []string `json:"to"`
	User string   `json:"user"`
	TLS  bool     `json:"tls"`
	HELO string   `json:"helo"`
}

type session struct {
	*sink
	fault, subject string
	mail           Mail
}

func (s *session) AuthMechanisms() []string {
	if s.user == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if s.fault == "no-auth" || user != s.user || password != s.password {
			return smtp.ErrAuthFailed
		}
		s.mail.User = user
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.user != "" && s.mail.User == "" {
		return smtp.ErrAuthRequired
	}
	if s.fault == "later" {
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "try later"}
	}
	s.mail.From, s.mail.To = from, nil
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.fault == "refuse" && to == s.subject {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such person"}
	}
	s.mail.To = append(s.mail.To, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	var text bytes.Buffer
	if _, err := text.ReadFrom(r); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	name := filepath.Join(s.dir, fmt.Sprintf("%04d", s.count))
	if err := os.WriteFile(name+".eml", text.Bytes(), 0o600); err != nil {
		return err
	}
	about, err := json.Marshal(s.mail)
	if err != nil {
		return err
	}
	if err := os.WriteFile(name+".tmp", about, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".tmp", name+".json") // now it is whole
}

func (s *session) Reset()        { s.mail.From, s.mail.To = "", nil }
func (s *session) Logout() error { return nil }
