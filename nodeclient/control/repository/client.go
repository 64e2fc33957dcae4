package repository

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"connecthub/models/compat"
	"connecthub/nodeclient/control/catalogue"
	"connecthub/nodeclient/fetch"
)

const (
	callDeadline = 30 * time.Second
	listDeadline = 2 * time.Minute
	maxAnswer    = 64 << 10
	maxList      = 32 << 20
	maxFileSize  = 256 << 30
	maxNotes     = 16 << 10
	maxDetail    = 400

	headerKey     = "X-JFrog-Art-Api"
	headerRefusal = "X-Refusal-Code"
)

// Client asks one repository with one secret.
type Client struct {
	config   Config
	language string
	http     *http.Client
}

// New makes a client. Every request goes by way; none follows to another address, so that the secret
// goes to the repository that was named and to nobody else.
func New(c Config, way http.RoundTripper, language string) (*Client, error) {
	c, err := c.Checked()
	if err != nil {
		return nil, err
	}
	return &Client{config: c, language: language, http: &http.Client{Transport: way,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("the repository sends to another address; that is not followed")
		}}}, nil
}

// Entitlement is what a secret is good for.
type Entitlement struct {
	Export        string    `json:"export"`
	ExportCleared bool      `json:"exportCleared"`
	Products      []string  `json:"products"`
	EULAVersion   string    `json:"eulaVersion"`
	LastFour      string    `json:"lastFour"`
	ExpiresAt     time.Time `json:"expiresAt"`
	LapsesAt      time.Time `json:"lapsesAt"`
}

// Entitlement asks whether the secret may be used for what is configured: contract, agreement, export
// and the repository's name. A *Refusal says why not.
func (c *Client) Entitlement(ctx context.Context) (Entitlement, error) {
	var e Entitlement
	err := c.json(ctx, http.MethodGet, "/api/entitlement?"+url.Values{
		"repository": {c.config.Repository}, "export": {c.export()}}.Encode(), callDeadline, maxAnswer, &e)
	return e, err
}

func (c *Client) export() string {
	if c.config.Restricted {
		return "restricted"
	}
	return "unrestricted"
}

// File is one file that the repository offers.
type File struct {
	Path, Product, Notes string
	Version              compat.Version
	Restricted           bool
	Size                 int64
	SHA256               string
	Modified             time.Time
}

// Offer is all that the repository has for the secret, of the kind that is configured.
type Offer struct {
	Files   []File   // by path
	Skipped []string // what cannot be used, and why
}

// listing is Artifactory's answer to list&deep=1.
type listing struct {
	Files []struct {
		URI          string              `json:"uri"`
		Size         int64               `json:"size"`
		LastModified string              `json:"lastModified"`
		Folder       bool                `json:"folder"`
		SHA2         string              `json:"sha2"`
		Properties   map[string][]string `json:"properties"`
	} `json:"files"`
}

// List answers what there is.
func (c *Client) List(ctx context.Context) (Offer, error) {
	var l listing
	var offer Offer
	err := c.json(ctx, http.MethodGet, "/api/storage/"+c.config.Repository+"?list&deep=1&export="+
		c.export(), listDeadline, maxList, &l)
	if err != nil {
		return offer, err
	}
	for _, one := range l.Files {
		if one.Folder {
			continue
		}
		first := func(name string) string {
			if values := one.Properties[name]; len(values) > 0 {
				return values[0]
			}
			return ""
		}
		f := File{Path: strings.TrimPrefix(one.URI, "/"), Product: clean(first("product")),
			Notes: notes(first("notes")), Restricted: first("export") == "restricted", Size: one.Size,
			SHA256: strings.ToLower(one.SHA2)}
		if f.Modified, err = time.Parse(time.RFC3339, one.LastModified); err == nil {
			f.Modified = f.Modified.UTC()
		}
		f.Version, err = compat.Parse(first("version"))
		if why := f.unusable(c.config.Restricted, err); why != "" {
			offer.Skipped = append(offer.Skipped, clean(f.Path)+": "+why)
			continue
		}
		offer.Files = append(offer.Files, f)
	}
	slices.SortFunc(offer.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	offer.Files = slices.CompactFunc(offer.Files, func(a, b File) bool { return a.Path == b.Path })
	if len(offer.Files) > catalogue.MaxFiles {
		return Offer{}, fmt.Errorf("the repository offers more than %d files", catalogue.MaxFiles)
	}
	return offer, nil
}

func (f File) unusable(restricted bool, version error) string {
	switch {
	case !catalogue.ValidPath(f.Path):
		return "its path cannot be used"
	case f.Product == "":
		return "it names no product"
	case version != nil:
		return "its version is not understood"
	case f.Restricted != restricted:
		return "it is of the other export kind"
	case f.Size < 0 || f.Size > maxFileSize:
		return "its size cannot be"
	case len(f.SHA256) != 64 || strings.Trim(f.SHA256, "0123456789abcdef") != "":
		return "it has no SHA-256"
	}
	return ""
}

// Fetch brings a file to dst: resumed where an earlier try was cut off, its digest checked before it
// bears that name.
func (c *Client) Fetch(ctx context.Context, f File, dst string, o fetch.Options) error {
	source := func(ctx context.Context, header http.Header) (*http.Response, error) {
		address := url.URL{Path: "/" + c.config.Repository + "/" + f.Path}
		req, err := c.request(ctx, http.MethodGet, address.EscapedPath())
		if err != nil {
			return nil, err
		}
		for name, values := range header {
			req.Header[name] = values
		}
		res, err := c.http.Do(req)
		if err != nil {
			return nil, fmt.Errorf("cannot reach the repository: %w", err)
		}
		if res.StatusCode < 400 || res.StatusCode == http.StatusRequestedRangeNotSatisfiable {
			return res, nil
		}
		defer res.Body.Close()
		body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
		if err != nil {
			body = nil // a refusal all the same
		}
		return nil, refusalOf(res, body)
	}
	return fetch.To(ctx, source, dst, fetch.Want{Digest: f.SHA256, Size: f.Size}, o)
}

// Rotated is a new identity token; the old one stays good for an hour at most.
type Rotated struct {
	Token     Secret
	ExpiresAt time.Time
}

// Rotate asks for a new identity token in the place of the present one. Who lost the answer asks again.
func (c *Client) Rotate(ctx context.Context) (Rotated, error) {
	var answer struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expiresAt"`
	}
	err := c.json(ctx, http.MethodPost, "/api/token/rotate", callDeadline, maxAnswer, &answer)
	if err != nil {
		return Rotated{}, err
	}
	fresh := c.config
	fresh.Secret = Secret(answer.Token)
	if fresh, err = fresh.Checked(); err != nil || answer.ExpiresAt.IsZero() {
		return Rotated{}, errors.New("the repository's answer holds no new token")
	}
	return Rotated{Token: fresh.Secret, ExpiresAt: answer.ExpiresAt.UTC()}, nil
}

func (c *Client) request(ctx context.Context, method, path string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.config.URL+path, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot ask the repository: %w", err)
	}
	if c.config.Kind == IdentityToken {
		req.Header.Set("Authorization", "Bearer "+string(c.config.Secret))
	} else {
		req.Header.Set(headerKey, string(c.config.Secret))
	}
	if c.language != "" {
		req.Header.Set("Accept-Language", c.language)
	}
	return req, nil
}

// json sends one request without a body and reads one answer of at most limit bytes.
func (c *Client) json(ctx context.Context, method, path string, deadline time.Duration, limit int64,
	out any) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	req, err := c.request(ctx, method, path)
	if err != nil {
		return err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("cannot reach the repository: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return fmt.Errorf("cannot read the repository's answer: %w", err)
	}
	if int64(len(body)) > limit {
		return errors.New("cannot read the repository's answer: it is too large")
	}
	if res.StatusCode >= 300 {
		return refusalOf(res, body)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("what answers at %s is no software repository: %w", c.config.URL, err)
	}
	return nil
}
