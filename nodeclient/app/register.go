package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"time"

	"golang.org/x/term"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/enroll"
	"connecthub/nodeclient/host"
	"connecthub/nodeclient/journal"
)

// adoptWait is how long the running agent may take to fetch its identity.
const adoptWait = 2 * time.Minute

const maxLine = 4 << 10

type registerCommand struct {
	dirFlag
	AcceptOrganization string `help:"Accept this organization without asking, and no other." placeholder:"NAME"`
}

// Run registers this node without its page: it prints a code for the console, and asks before it
// belongs to anybody. It works beside a running agent and without one.
func (r registerCommand) Run(e *env) error {
	if err := ownFolder(r.Dir); err != nil {
		return err
	}
	if r.AcceptOrganization == "" && !term.IsTerminal(int(os.Stdin.Fd())) {
		return errors.New("name the organization to accept: --accept-organization NAME")
	}
	enrollment, err := beside(e, r.Dir)
	if err != nil {
		return err
	}
	h, err := enrollment.BeginHeadless(e.ctx)
	if err != nil {
		return told(err)
	}
	_, err = fmt.Fprintf(e.out, "Open %s,\nchoose \"Enter node code\" and enter within %s:\n\n    %s\n\n"+
		"This node is %s, with the key\n    %s\nWaiting for the approval …\n", h.ConsoleURL,
		console.Span(h.ExpiresAt.Sub(h.Now).Round(time.Minute), "en"), h.UserCode, enrollment.Config().FQDN,
		h.KeyFingerprint)
	if err != nil {
		return err
	}
	offer, err := h.Await(e.ctx)
	if err != nil {
		return told(err)
	}
	accept, err := r.accepts(e, os.Stdin, offer)
	if err != nil {
		return err
	}
	if err := h.Answer(e.ctx, accept, enroll.By{User: whoami()}); err != nil {
		return told(err)
	}
	if !accept {
		return fmt.Errorf("%q was not accepted; nothing was registered", offer.Organization)
	}
	return finish(e, r.Dir, enrollment)
}

// beside opens the enrollment of a folder that an agent may be using.
func beside(e *env, dir string) (*enroll.Enrollment, error) {
	slots, err := host.ViewSlots(dir)
	if err != nil {
		return nil, err
	}
	return enroll.Open(enroll.Options{Dir: dir, ClientVersion: e.version,
		Version: func() models.Version { return installedVersion(slots) },
		Busy: func() bool {
			state, err := journal.Peek(journalOf(dir))
			return err != nil || state.Entry != nil
		}, Now: e.now})
}

// accepts asks for the organization and the requester by name.
func (r registerCommand) accepts(e *env, in io.Reader, offer wire.HeadlessOffer) (bool, error) {
	domain := "no verified domain"
	if offer.Domain != "" {
		domain = "verified domain " + offer.Domain
	}
	_, err := fmt.Fprintf(e.out, "\nApproved by    %s\nOrganization   %s (%s)\nCluster        %s\n",
		offer.RequestedBy, offer.Organization, domain, offer.DisplayName)
	if err != nil {
		return false, err
	}
	if r.AcceptOrganization != "" {
		return r.AcceptOrganization == offer.Organization, nil
	}
	_, err = fmt.Fprintf(e.out, "\nConnect Hub will upgrade this cluster for %s, as %s asks.\n"+
		"Type the organization's name to accept it, anything else to refuse: ", offer.Organization,
		offer.RequestedBy)
	if err != nil {
		return false, err
	}
	line, err := bufio.NewReader(io.LimitReader(in, maxLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("cannot read the answer: %w", err)
	}
	return strings.TrimSpace(line) == offer.Organization, nil
}

// finish fetches the identity: the running agent does it where there is one, for only one process may
// begin with a credential.
func finish(e *env, dir string, enrollment *enroll.Enrollment) error {
	ctx, cancel := context.WithTimeout(e.ctx, adoptWait)
	defer cancel()
	lock, err := lockFolder(dir)
	if err == nil {
		defer lock.Close()
		if err := enrollment.Await(ctx); err != nil {
			return err
		}
		if enrollment.Identity() == nil {
			return errors.New("the hub did not complete the registration; see nodeclient status")
		}
		return registered(e, dir, "; start the agent: nodeclient run")
	}
	for {
		identity, err := enroll.ReadIdentity(dir)
		if err != nil {
			return err
		}
		if identity != nil {
			return registered(e, dir, "")
		}
		select {
		case <-ctx.Done():
			return errors.New("the agent has not fetched its identity yet; see nodeclient status")
		case <-time.After(time.Second):
		}
	}
}

func registered(e *env, dir, next string) error {
	identity, err := enroll.ReadIdentity(dir)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.out, "Registered to %s as part of %q%s\n", identity.Organization,
		identity.DisplayName, next)
	return err
}

// told gives a person the hub's sentence where there is one.
func told(err error) error {
	var r *enroll.Refusal
	if errors.As(err, &r) && r.Problem.Detail != "" {
		return fmt.Errorf("the hub refused: %s (tracking id %s)", r.Problem.Detail,
			r.Problem.TrackingID)
	}
	return err
}

func whoami() string {
	u, err := user.Current()
	if err != nil {
		return "command line"
	}
	return u.Username
}
