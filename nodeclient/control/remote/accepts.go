package remote

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"

	"golang.org/x/crypto/ssh"
)

// maxOffers stays below the tries that sshd allows on one connection.
const maxOffers = 4

// Offer is what a machine says to keys that it is only asked about.
type Offer struct {
	Methods  []string // of signing in, that the machine takes from this user
	Accepted []bool   // of each key
}

// Accepts asks a machine which keys it would let a user in with. It asks as SSH allows for a public
// key alone: nothing is signed, and nobody signs in, so that a control node may ask about another
// one's key. The machine must show the pinned host key before it learns the user or a key.
func Accepts(ctx context.Context, pins *Pins, t Target, offered []ssh.PublicKey) (Offer, error) {
	pinned, err := pins.Of(t.Address)
	if err != nil {
		return Offer{}, err
	}
	if t.Timeout <= 0 {
		t.Timeout = connectTimeout
	}
	all := Offer{}
	for part := range slices.Chunk(offered, maxOffers) {
		one, err := accepts(ctx, pinned, t, part)
		if err != nil {
			return Offer{}, err
		}
		all.Methods = one.Methods
		all.Accepted = append(all.Accepted, one.Accepted...)
	}
	return all, nil
}

func accepts(ctx context.Context, pinned ssh.PublicKey, t Target, offered []ssh.PublicKey) (Offer, error) {
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	conn, err := dial(ctx, t.Address)
	if err != nil {
		return Offer{}, err
	}
	defer conn.Close()
	answer := Offer{Accepted: make([]bool, len(offered))}
	asked, next := false, 0
	errAsked := errors.New("asked")
	_, _, _, err = ssh.NewClientConn(conn, t.Address, &ssh.ClientConfig{User: t.User,
		HostKeyAlgorithms: algorithmsOf(pinned),
		HostKeyCallback: func(_ string, _ net.Addr, k ssh.PublicKey) error {
			if !bytes.Equal(k.Marshal(), pinned.Marshal()) {
				return ErrKeyChanged
			}
			return nil
		},
		AuthCallback: func(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
			if !asked {
				asked, answer.Methods = true, c.AllowedMethods
			}
			if next == len(offered) || !slices.Contains(answer.Methods, "publickey") {
				return nil, errAsked
			}
			next++
			return ssh.PublicKeys(&onlyAsked{offered[next-1], &answer.Accepted[next-1]}), nil
		}})
	var other *ssh.AlgorithmNegotiationError
	switch {
	case errors.Is(err, ErrKeyChanged), errors.As(err, &other) && hostKeyKind(err):
		return Offer{}, ErrKeyChanged
	case errors.Is(err, errAsked):
		return answer, nil
	case asked && ctx.Err() == nil:
		return Offer{}, ErrGone // it hung up on a question
	case err == nil:
		return Offer{Methods: []string{"none"}, Accepted: answer.Accepted}, nil
	}
	return Offer{}, explain(ctx, err, ErrNoSSH)
}

// errNoSignature is what every question ends with.
var errNoSignature = errors.New("this key is only asked about")

// onlyAsked stands for a key whose private half is elsewhere. That it is to sign says that the machine
// would take it.
type onlyAsked struct {
	key      ssh.PublicKey
	accepted *bool
}

// PublicKey is what is asked about.
func (o *onlyAsked) PublicKey() ssh.PublicKey { return o.key }

// Algorithms are those that the real one signs with.
func (o *onlyAsked) Algorithms() []string { return algorithmsOf(o.key) }

// Sign makes no signature.
func (o *onlyAsked) Sign(random io.Reader, data []byte) (*ssh.Signature, error) {
	return o.SignWithAlgorithm(random, data, "")
}

// SignWithAlgorithm makes no signature.
func (o *onlyAsked) SignWithAlgorithm(io.Reader, []byte, string) (*ssh.Signature, error) {
	*o.accepted = true
	return nil, errNoSignature
}

// Look reads a small file of a machine; a relative name is below the user's own folder.
func (c *Client) Look(ctx context.Context, name string, limit int64) ([]byte, error) {
	stop := c.bound(ctx)
	defer stop()
	files, err := c.sftp()
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	f, err := files.Open(name)
	if err != nil {
		return nil, c.lookFailed(ctx, err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, c.lookFailed(ctx, err)
	}
	if int64(len(text)) > limit {
		return nil, ErrTooLarge
	}
	return text, nil
}

// Names lists a folder of a machine.
func (c *Client) Names(ctx context.Context, folder string) ([]string, error) {
	stop := c.bound(ctx)
	defer stop()
	files, err := c.sftp()
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	all, err := files.ReadDirContext(ctx, folder)
	if err != nil {
		return nil, c.lookFailed(ctx, err)
	}
	names := make([]string, 0, len(all))
	for _, one := range all {
		names = append(names, one.Name())
	}
	return names, nil
}

func (c *Client) lookFailed(ctx context.Context, err error) error {
	if err = c.explainFile(ctx, err); errors.Is(err, ErrNoDirectory) {
		return ErrNoFile
	}
	return err
}
