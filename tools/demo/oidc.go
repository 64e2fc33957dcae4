package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"
)

// The organization that signs in through a provider of its own, and its people there.
const (
	oidcOrganization = "Acme"
	oidcDomain       = "acme.example"
	oidcAdmin        = "taro@" + oidcDomain     // invited as a full admin
	oidcStranger     = "stranger@" + oidcDomain // known to the provider alone
	oidcPassword     = "password at Acme"
	oidcSecret       = "client secret of the demonstration"
)

// startProvider starts an OpenID Connect provider on this machine, and lets the people of an
// organization of their own sign in through it.
func startProvider(ctx context.Context, o options, h *hub, port int) (*process, string, error) {
	data := filepath.Join(h.dir, "hub")
	operate := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, h.program, append(args, "--data", data,
			"--public-url", h.consoleURL, "--oidc-loopback")...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("cannot run server %v: %w\n%s", args, err, out)
		}
		return string(out), nil
	}
	if _, err := operate("organization", "create", oidcOrganization, "--zone", "Asia/Tokyo",
		"--domain", oidcDomain, "--admin", oidcAdmin); err != nil {
		return nil, "", err
	}
	shown, err := operate("oidc", "show", oidcOrganization)
	if err != nil {
		return nil, "", err
	}
	redirect := regexp.MustCompile(`redirect URI: (\S+)`).FindStringSubmatch(shown)
	if redirect == nil {
		return nil, "", errors.New("the hub does not say where a provider sends browsers back to")
	}
	if err := free(loopback(port)); err != nil {
		return nil, "", err
	}
	issuer := fmt.Sprintf("http://localhost:%d", port)
	p, err := start(h.dir, "provider", o.provider, "-listen", loopback(port), "-issuer", issuer,
		"-control", "-client", "hub:"+oidcSecret, "-redirect", redirect[1],
		"-user", oidcAdmin+":"+oidcPassword+":Taro Yamada",
		"-user", oidcStranger+":"+oidcPassword+":A Stranger")
	if err != nil {
		return nil, "", err
	}
	file := filepath.Join(h.dir, "client-secret")
	if err := os.WriteFile(file, []byte(oidcSecret+"\n"), 0o600); err != nil {
		p.stop()
		return nil, "", fmt.Errorf("cannot write the client secret: %w", err)
	}
	err = eventually(ctx, 20*time.Second, "the provider is set", func() (bool, error) {
		_, err := operate("oidc", "set", oidcOrganization, "--issuer", issuer,
			"--client-id", "hub", "--client-secret-file", file)
		return err == nil, err
	})
	if err != nil {
		p.stop()
		return nil, "", err
	}
	return p, issuer, nil
}
