// Package trust is a VOS machine's tomcat-trust: the certificates that somebody has imported, and the only
// ones by which a control node is known. It knows no control node.
package trust

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/vos/words"
)

const (
	// MaxPEM is how large a file of certificates may be.
	MaxPEM = 64 << 10
	// MaxCertificates is how many certificates may be trusted.
	MaxCertificates = 100

	folder    = "tomcat-trust"
	suffix    = ".pem"
	maxInFile = 10
	minBits   = 2048
	minPrefix = 8
)

// ErrUnknown says that no certificate has that fingerprint.
var ErrUnknown error = words.Refuse("no_such_certificate", "no certificate in the trust store has that fingerprint",
	"そのフィンガープリントの証明書はトラストストアにありません")

// Store is the trust store of a machine's folder.
type Store struct{ dir string }

// Open names the folder; nothing is read or written before it is asked for.
func Open(dir string) *Store { return &Store{dir: filepath.Join(dir, folder)} }

// Certificate is one that is trusted.
type Certificate struct {
	Fingerprint string    `json:"fingerprint"` // SHA-256, in 64 hex digits
	Subject     string    `json:"subject"`
	Issuer      string    `json:"issuer"`
	Names       []string  `json:"names"` // of a server; a CA has none
	CA          bool      `json:"ca"`
	From        time.Time `json:"from"`
	Until       time.Time `json:"until"`

	raw *x509.Certificate
}

// Expired says whether the certificate is worth nothing any more.
func (c Certificate) Expired(now time.Time) bool { return now.After(c.Until) }

func certificateOf(raw *x509.Certificate) Certificate {
	sum := sha256.Sum256(raw.Raw)
	c := Certificate{Fingerprint: hex.EncodeToString(sum[:]), Subject: raw.Subject.String(),
		Issuer: raw.Issuer.String(), Names: append([]string{}, raw.DNSNames...), CA: raw.IsCA,
		From: raw.NotBefore.UTC(), Until: raw.NotAfter.UTC(), raw: raw}
	for _, ip := range raw.IPAddresses {
		c.Names = append(c.Names, ip.String())
	}
	return c
}

// Parse reads the certificates of a PEM file, whole: it refuses everything where one of them may not be
// trusted. A server's own certificate is taken where it signed itself; where a CA signed it, the CA's is.
func Parse(text []byte, now time.Time) ([]Certificate, error) {
	if len(text) > MaxPEM {
		return nil, words.Refuse("too_large", "a file of certificates has at most %d bytes",
			"証明書のファイルは最大 %d バイトです", MaxPEM)
	}
	var all []Certificate
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			if len(bytes.TrimSpace(rest)) > 0 && len(all) > 0 {
				return nil, words.Refuse("no_certificates", "there is something after the last certificate",
					"最後の証明書の後に余分な内容があります")
			}
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, words.Refuse("no_certificates", "the file holds a %q; give certificates only, and no key",
				"ファイルに %q が含まれています。証明書だけを指定し、鍵は含めないでください", block.Type)
		}
		raw, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, words.Refuse("no_certificates", "cannot read a certificate: %v", "証明書を読み取れません: %v", err)
		}
		if err := judge(raw, now); err != nil {
			return nil, err
		}
		if all = append(all, certificateOf(raw)); len(all) > maxInFile {
			return nil, words.Refuse("too_large", "a file holds at most %d certificates",
				"1 つのファイルに含められる証明書は最大 %d 件です", maxInFile)
		}
	}
	if len(all) == 0 {
		return nil, words.Refuse("no_certificates", "the file holds no certificate in PEM form",
			"ファイルに PEM 形式の証明書がありません")
	}
	return all, nil
}

func judge(c *x509.Certificate, now time.Time) error {
	who := c.Subject.String()
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < minBits {
		return words.Refuse("certificate_too_weak", "the certificate of %s has a key of %d bits; %d are the least",
			"%s の証明書の鍵は %d ビットです。%d ビット以上が必要です", who, key.N.BitLen(), minBits)
	}
	if now.After(c.NotAfter) {
		return words.Refuse("certificate_expired", "the certificate of %s has expired on %s",
			"%s の証明書は %s に有効期限が切れています", who, c.NotAfter.UTC().Format(time.DateOnly))
	}
	if c.IsCA {
		return nil
	}
	own := bytes.Equal(c.RawIssuer, c.RawSubject) &&
		c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
	if !own {
		return words.Refuse("certificate_of_a_ca", "the certificate of %s is signed by %s: import the certificate of that CA "+
			"(root or intermediate) instead", "%s の証明書は %s が署名しています。代わりにその CA(ルートまたは中間)の証明書を"+
			"インポートしてください", who, c.Issuer)
	}
	return nil
}

// Import trusts certificates that Parse has read. What is trusted already stays as it is.
func (s *Store) Import(all []Certificate) error {
	known, err := s.List()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the trust store: %w", err)
	}
	for _, c := range all {
		same := func(k Certificate) bool { return k.Fingerprint == c.Fingerprint }
		if slices.ContainsFunc(known, same) {
			continue
		}
		if len(known) >= MaxCertificates {
			return words.Refuse("too_many", "the trust store holds at most %d certificates",
				"トラストストアに保存できる証明書は最大 %d 件です", MaxCertificates)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.raw.Raw})
		if err := atomicfile.Write(s.path(c.Fingerprint), text, 0o600); err != nil {
			return err
		}
		known = append(known, c)
	}
	return nil
}

func (s *Store) path(fingerprint string) string { return filepath.Join(s.dir, fingerprint+suffix) }

// List answers what is trusted, by subject. A file that cannot be read is an error: it never counts as
// nothing.
func (s *Store) List() ([]Certificate, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the trust store: %w", err)
	}
	var all []Certificate
	for _, e := range entries {
		fingerprint, ok := strings.CutSuffix(e.Name(), suffix)
		if !ok || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		c, err := s.read(fingerprint)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Certificate) int {
		return strings.Compare(a.Subject+a.Fingerprint, b.Subject+b.Fingerprint)
	})
	return all, nil
}

func (s *Store) read(fingerprint string) (Certificate, error) {
	f, err := os.Open(s.path(fingerprint))
	if err != nil {
		return Certificate{}, fmt.Errorf("cannot read the trust store: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxPEM))
	if err != nil {
		return Certificate{}, fmt.Errorf("cannot read the trust store: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return Certificate{}, fmt.Errorf("cannot read the trust store: %s is damaged", f.Name())
	}
	raw, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return Certificate{}, fmt.Errorf("cannot read the trust store: %w", err)
	}
	c := certificateOf(raw)
	if c.Fingerprint != fingerprint {
		return c, fmt.Errorf("cannot read the trust store: %s is not what its name says", f.Name())
	}
	return c, nil
}

// Delete ends the trust in the one certificate whose fingerprint begins so; colons and case do not count.
func (s *Store) Delete(fingerprint string) (Certificate, error) {
	prefix := strings.ToLower(strings.ReplaceAll(fingerprint, ":", ""))
	if len(prefix) < minPrefix {
		return Certificate{}, words.Refuse("bad_fingerprint", "give at least %d digits of the fingerprint",
			"フィンガープリントは先頭から %d 桁以上を指定してください", minPrefix)
	}
	all, err := s.List()
	if err != nil {
		return Certificate{}, err
	}
	var found []Certificate
	for _, c := range all {
		if strings.HasPrefix(c.Fingerprint, prefix) {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
		return Certificate{}, ErrUnknown
	case 1:
		return found[0], atomicfile.Remove(s.path(found[0].Fingerprint))
	}
	return Certificate{}, words.Refuse("several_certificates", "more than one certificate has a fingerprint that begins so",
		"そのフィンガープリントで始まる証明書が複数あります")
}

// Pool is what a connection is judged by. It is never the machine's own pool, not even when it is empty.
func (s *Store) Pool() (*x509.CertPool, error) {
	all, err := s.List()
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, c := range all {
		pool.AddCert(c.raw)
	}
	return pool, nil
}
