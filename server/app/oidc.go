package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"connecthub/hub/oidc"
	"connecthub/models"
	"connecthub/server/config"
)

// newOIDC lets people in through the providers of their organizations.
func newOIDC(h *hub, c config.Config, now func() time.Time, log *slog.Logger) (*oidc.OIDC, error) {
	roots, err := rootsOf(c.OIDCCAFile)
	if err != nil {
		return nil, err
	}
	return oidc.New(oidc.Options{Store: h.store, Identity: h.identity, Sealer: h.seal, Now: now,
		Log: log, PublicURL: c.Public(), Loopback: c.OIDCLoopback, Roots: roots}), nil
}

// rootsOf are the system's certificate authorities and those of the file; nil: the system's.
func rootsOf(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the providers' certificate authorities: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("cannot use %s: it holds no certificate", file)
	}
	return roots, nil
}

// oidcCommand is one of the commands about providers; done says whether there is such a one.
func (c command) oidcCommand(ctx context.Context, words string) (done bool, err error) {
	providers, err := newOIDC(c.hub, c.line.Config, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		return true, err
	}
	switch words {
	case "oidc set <organization>":
		return true, c.setOIDC(ctx, providers)
	case "oidc show <organization>":
		return true, c.showOIDC(ctx, providers)
	case "oidc require <organization>":
		return true, c.requireOIDC(ctx, providers, c.line.OIDC.Require.Organization, true)
	case "oidc allow-passwords <organization>":
		return true, c.requireOIDC(ctx, providers, c.line.OIDC.AllowPasswords.Organization, false)
	case "oidc remove <organization>":
		o, err := c.organization(ctx, c.line.OIDC.Remove.Organization)
		if err == nil {
			err = providers.Remove(ctx, actor(o), o.ID)
		}
		if err == nil {
			fmt.Fprintf(c.out, "%s has no provider any more; passwords count again\n", o.Name)
		}
		return true, err
	case "oidc forget <email>":
		n, err := providers.Forget(ctx, actor(models.Organization{}), c.line.OIDC.Forget.Email)
		if err == nil {
			fmt.Fprintf(c.out, "forgot %d accounts of %s; the next sign-in binds anew\n", n,
				c.line.OIDC.Forget.Email)
		}
		return true, err
	}
	return false, nil
}

func (c command) organization(ctx context.Context, name string) (models.Organization, error) {
	o, err := c.hub.identity.Organization(ctx, name)
	if err != nil {
		return o, fmt.Errorf("cannot find organization %q: %w", name, err)
	}
	return o, nil
}

func (c command) requireOIDC(ctx context.Context, providers *oidc.OIDC, name string,
	required bool) error {
	o, err := c.organization(ctx, name)
	if err != nil {
		return err
	}
	if err := providers.Require(ctx, actor(o), o.ID, required); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "passwords are %s in %s\n", passwords(required), o.Name)
	return nil
}

func (c command) setOIDC(ctx context.Context, providers *oidc.OIDC) error {
	n := c.line.OIDC.Set
	o, err := c.organization(ctx, n.Organization)
	if err != nil {
		return err
	}
	secret, err := readSecret(n.ClientSecretFile)
	if err != nil {
		return err
	}
	err = providers.Set(ctx, actor(o), o.ID, oidc.Settings{Issuer: n.Issuer,
		ClientID: n.ClientID, Secret: models.Secret(secret), Hosts: n.AllowHost,
		Required: n.Required}, n.NoCheck)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "the people of %s (%s) sign in through %s\nredirect URI: %s\n", o.Name,
		o.Domain, n.Issuer, providers.RedirectURL(o.ID))
	return nil
}

// readSecret reads the client secret, which is a line as a password is.
func readSecret(path string) (string, error) {
	if path == "" {
		return "", errors.New("cannot read the client secret: name its file")
	}
	secret, err := readPassword(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the client secret: %w", err)
	}
	return secret, nil
}

func (c command) showOIDC(ctx context.Context, providers *oidc.OIDC) error {
	o, err := c.organization(ctx, c.line.OIDC.Show.Organization)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "organization: %s\ndomain: %s\nredirect URI: %s\n", o.Name, o.Domain,
		providers.RedirectURL(o.ID))
	p, err := providers.Provider(ctx, o.ID)
	if errors.Is(err, oidc.ErrNone) {
		fmt.Fprintln(c.out, "provider: none")
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "provider: %s\nclient ID: %s\nfurther hosts: %s\npasswords: %s\n", p.Issuer,
		p.ClientID, strings.Join(p.HostList(), " "), passwords(p.Required))
	return nil
}

func passwords(refused bool) string {
	if refused {
		return "refused"
	}
	return "accepted"
}
