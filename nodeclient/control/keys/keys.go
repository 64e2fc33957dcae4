// Package keys is a control node's SSH key pair, and what it knows of the other control nodes' public
// keys. It knows no target and opens no connection.
package keys

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/crypto/ssh"

	"connecthub/nodeclient/atomicfile"
)

const (
	// Comment ends every public line, as the original's do.
	Comment = "root@localhost"

	bits     = 3072
	folder   = "control"
	pairFile = "ssh-key.pem"
	lockFile = "ssh-key.lock"
	maxPair  = 16 << 10
)

// Pair is a control node's own key. It prints as its public half.
type Pair struct{ signer ssh.Signer }

// Signer signs with SHA-2 only: a server that knows nothing but ssh-rsa's SHA-1 gets no signature.
func (p Pair) Signer() ssh.Signer { return p.signer }

// Line is the public half as authorized_keys takes it: ssh-rsa, the key, the comment, one line.
func (p Pair) Line() Line { return LineOf(p.signer.PublicKey()) }

// String is the fingerprint of the public half.
func (p Pair) String() string { return ssh.FingerprintSHA256(p.signer.PublicKey()) }

// GoString is String: nothing prints the private half.
func (p Pair) GoString() string { return p.String() }

// Own answers the pair of a node's folder. It is made at the first need, once: two processes that
// need it first at the same time get the same one. A file that others may read is refused.
func Own(dir string) (Pair, error) {
	pair, err := read(dir)
	if !errors.Is(err, os.ErrNotExist) {
		return pair, err
	}
	unlock, err := lock(dir)
	if err != nil {
		return Pair{}, err
	}
	defer unlock()
	pair, err = read(dir)
	if !errors.Is(err, os.ErrNotExist) {
		return pair, err
	}
	if err := generate(filepath.Join(dir, folder, pairFile)); err != nil {
		return Pair{}, err
	}
	return read(dir)
}

func generate(path string) error {
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return fmt.Errorf("cannot make this node's SSH key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, Comment)
	if err != nil {
		return fmt.Errorf("cannot make this node's SSH key: %w", err)
	}
	return atomicfile.Write(path, pem.EncodeToMemory(block), 0o600)
}

func read(dir string) (Pair, error) {
	f, err := os.Open(filepath.Join(dir, folder, pairFile))
	if err != nil {
		return Pair{}, fmt.Errorf("cannot read this node's SSH key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Pair{}, fmt.Errorf("cannot read this node's SSH key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return Pair{}, fmt.Errorf("cannot use this node's SSH key: others may read %s; make it 0600",
			f.Name())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxPair))
	if err != nil {
		return Pair{}, fmt.Errorf("cannot read this node's SSH key: %w", err)
	}
	return parse(text)
}

func parse(text []byte) (Pair, error) {
	raw, err := ssh.ParseRawPrivateKey(text)
	if err != nil {
		return Pair{}, fmt.Errorf("cannot read this node's SSH key: %w", err)
	}
	private, ok := raw.(*rsa.PrivateKey)
	if !ok || private.N.BitLen() < bits {
		return Pair{}, fmt.Errorf("cannot use this node's SSH key: it is not RSA of %d bits", bits)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return Pair{}, fmt.Errorf("cannot use this node's SSH key: %w", err)
	}
	algorithms, ok := signer.(ssh.AlgorithmSigner)
	if !ok {
		return Pair{}, errors.New("cannot use this node's SSH key: it signs with one algorithm only")
	}
	signer, err = ssh.NewSignerWithAlgorithms(algorithms,
		[]string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256})
	if err != nil {
		return Pair{}, fmt.Errorf("cannot use this node's SSH key: %w", err)
	}
	return Pair{signer}, nil
}

// lock lets one process at a time write what is kept here; it waits for its turn.
func lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the control node's folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, folder, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock this node's SSH key: %w", err)
	}
	for err = syscall.EINTR; errors.Is(err, syscall.EINTR); {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("cannot lock this node's SSH key: %w", err)
	}
	return func() {
		_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
		_ = f.Close()
	}, nil
}
