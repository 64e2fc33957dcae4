package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// allow is the node's administrator on the publisher's own page: sign in, allow access, continue.
// It answers the return code that the page sends the browser home with.
func allow(ctx context.Context, openURL string, port int) (string, error) {
	page, err := url.Parse(openURL)
	if err != nil {
		return "", err
	}
	browser, err := nodeBrowser(page.Host, port)
	if err != nil {
		return "", err
	}
	ticket := page.Fragment
	page.Fragment = ""
	_, text, err := visit(ctx, browser, http.MethodGet, page.String(), nil)
	if err != nil {
		return "", err
	}
	form := fields(text)
	form.Set("username", pageUser)
	form.Set("password", pagePassword)
	form.Set("ticket", ticket)
	_, text, err = visit(ctx, browser, http.MethodPost, target(page, text), form)
	if err != nil {
		return "", err
	}
	if !strings.Contains(text, `name="allow"`) {
		return "", fmt.Errorf("the publisher's page does not offer to allow access: %s", plain(text))
	}
	// The connectivity self-test comes first; the page's script runs it, and its button does.
	test, err := page.Parse("/register/test")
	if err != nil {
		return "", err
	}
	_, text, err = visit(ctx, browser, http.MethodPost, test.String(), fields(text))
	if err != nil {
		return "", err
	}
	if !strings.Contains(text, `data-auto="no"`) {
		return "", fmt.Errorf("the publisher's page has not run its self-test: %s", plain(text))
	}
	form = fields(text)
	form.Set("allow", "on")
	form.Set("action", "allow")
	back, text, err := visit(ctx, browser, http.MethodPost, target(page, text), form)
	if err != nil {
		return "", err
	}
	if back == nil {
		return "", fmt.Errorf("the publisher's page did not send the browser back: %s", plain(text))
	}
	_, code, ok := strings.Cut(back.Fragment, "code=")
	if !ok {
		return "", errors.New("the way back carries no code")
	}
	return code, nil
}

// nodeBrowser is a browser on the page of one node; it does not leave it.
func nodeBrowser(host string, port int) (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &http.Client{Jar: jar, Timeout: 20 * time.Second,
		// The page's certificate is self-signed, and a person clicks past that on loopback.
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, loopback(port))
			}},
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if r.URL.Host != host {
				return http.ErrUseLastResponse
			}
			return nil
		}}, nil
}

// statusPage is what a node's administrator sees on the node's own page after signing in.
func (n *node) statusPage(ctx context.Context) (string, error) {
	page := &url.URL{Scheme: "https", Host: fmt.Sprintf("%s:%d", n.name, n.page), Path: "/sign-in"}
	browser, err := nodeBrowser(page.Host, n.page)
	if err != nil {
		return "", err
	}
	_, text, err := visit(ctx, browser, http.MethodGet, page.String(), nil)
	if err != nil {
		return "", err
	}
	form := fields(text)
	form.Set("username", pageUser)
	form.Set("password", pagePassword)
	_, text, err = visit(ctx, browser, http.MethodPost, page.String(), form)
	return text, err
}

func visit(ctx context.Context, c *http.Client, method, address string, form url.Values) (
	*url.URL, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, "", err
	}
	if method == http.MethodPost {
		u, _ := url.Parse(address)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", u.Scheme+"://"+u.Host)
	}
	res, err := c.Do(req)
	if err != nil {
		return nil, "", fmt.Errorf("cannot open the publisher's page: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if back, lost := res.Location(); lost == nil {
		return back, string(text), err
	}
	return nil, string(text), err
}

var (
	hidden = regexp.MustCompile(`<input[^>]*type="hidden"[^>]*>`)
	attr   = regexp.MustCompile(`(name|value)="([^"]*)"`)
	action = regexp.MustCompile(`<form[^>]*action="([^"]*)"`)
	tags   = regexp.MustCompile(`<(?s:style.*?</style|[^>]*)>|\s+`)
)

// fields are the hidden inputs of a page's form.
func fields(text string) url.Values {
	form := url.Values{}
	for _, input := range hidden.FindAllString(text, -1) {
		var name, value string
		for _, m := range attr.FindAllStringSubmatch(input, -1) {
			if m[1] == "name" {
				name = m[2]
			} else {
				value = m[2]
			}
		}
		form.Set(name, value)
	}
	return form
}

func target(page *url.URL, text string) string {
	if m := action.FindStringSubmatch(text); m != nil && m[1] != "" {
		if u, err := page.Parse(m[1]); err == nil {
			return u.String()
		}
	}
	return page.String()
}

func plain(text string) string {
	s := strings.Join(strings.Fields(tags.ReplaceAllString(text, " ")), " ")
	return s[:min(len(s), 300)]
}
