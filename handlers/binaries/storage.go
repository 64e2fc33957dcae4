package binaries

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"connecthub/handlers"
	"connecthub/hub/software"
	"connecthub/models"
)

// The two words of an export choice.
const (
	exportRestricted   = "restricted"
	exportUnrestricted = "unrestricted"
)

type checksums struct {
	SHA1   string `json:"sha1"`
	MD5    string `json:"md5"`
	SHA256 string `json:"sha256"`
}

type child struct {
	URI    string `json:"uri"`
	Folder bool   `json:"folder"`
}

// entry is a file or a folder as Artifactory describes it.
type entry struct {
	Repo         string              `json:"repo"`
	Path         string              `json:"path"`
	Created      string              `json:"created"`
	LastModified string              `json:"lastModified"`
	DownloadURI  string              `json:"downloadUri,omitempty"`
	MimeType     string              `json:"mimeType,omitempty"`
	Size         string              `json:"size,omitempty"`
	Checksums    *checksums          `json:"checksums,omitempty"`
	Properties   map[string][]string `json:"properties,omitempty"`
	Children     []child             `json:"children,omitempty"`
	URI          string              `json:"uri"`
}

type listed struct {
	URI          string              `json:"uri"`
	Size         int64               `json:"size"`
	LastModified string              `json:"lastModified"`
	Folder       bool                `json:"folder"`
	SHA1         string              `json:"sha1"`
	SHA2         string              `json:"sha2"`
	Properties   map[string][]string `json:"properties"`
}

type listing struct {
	URI     string   `json:"uri"`
	Created string   `json:"created"`
	Files   []listed `json:"files"`
}

// storage describes a file, or a folder by what of it the holder may have.
func (r *repository) storage(c echo.Context) error {
	h, err := r.enter(c)
	if err != nil {
		return err
	}
	base := storageBase
	if strings.HasPrefix(c.Request().URL.Path, "/binaries") {
		base = "/binaries" + storageBase
	}
	repo, inside, err := r.place(c, base)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	all, err := r.o.Software.Files(ctx, h, repo)
	if err != nil {
		return err
	}
	root := "https://" + c.Request().Host
	uri := strings.TrimSuffix(root+"/binaries"+storageBase+repo+"/"+inside, "/")
	if at := slices.IndexFunc(all, func(f models.SoftwareFile) bool {
		return f.Path == inside
	}); at >= 0 {
		return c.JSON(http.StatusOK, fileEntry(all[at], root, uri))
	}
	below := software.Below(all, inside)
	if len(below) == 0 {
		if inside != "" { // a file that the holder may not have says so
			if _, err := r.o.Software.File(ctx, h, repo, inside); err != nil {
				return err
			}
		}
		return models.NotFound()
	}
	if c.QueryParams().Has("list") {
		return list(c, below, inside, uri)
	}
	created, modified := span(below)
	return c.JSON(http.StatusOK, entry{Repo: repo, Path: "/" + inside, Created: created,
		LastModified: modified, Children: children(below, inside), URI: uri})
}

func fileEntry(f models.SoftwareFile, root, uri string) entry {
	at := instant(f.PublishedAt)
	return entry{Repo: f.Repository, Path: "/" + f.Path, Created: at, LastModified: at,
		DownloadURI: root + binariesBase + f.Repository + "/" + f.Path,
		MimeType:    echo.MIMEOctetStream, Size: strconv.FormatInt(f.Size, 10),
		Checksums:  &checksums{SHA1: f.SHA1, MD5: f.MD5, SHA256: f.SHA256},
		Properties: properties(f), URI: uri}
}

func properties(f models.SoftwareFile) map[string][]string {
	export := exportUnrestricted
	if f.Restricted {
		export = exportRestricted
	}
	all := map[string][]string{"product": {f.Product}, "version": {f.Version}, "export": {export}}
	if f.Notes != "" {
		all["notes"] = []string{f.Notes}
	}
	return all
}

func children(below []models.SoftwareFile, folder string) []child {
	var all []child
	for _, f := range below {
		name, _, deeper := strings.Cut(relative(f, folder), "/")
		one := child{URI: "/" + name, Folder: deeper}
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

func relative(f models.SoftwareFile, folder string) string {
	if folder == "" {
		return f.Path
	}
	return strings.TrimPrefix(f.Path, folder+"/")
}

// list is everything below a folder at once, or what is in the folder itself where nobody asks for
// depth.
func list(c echo.Context, below []models.SoftwareFile, folder, uri string) error {
	export, product := c.QueryParam("export"), c.QueryParam("product")
	if export != "" && export != exportRestricted && export != exportUnrestricted {
		return models.Invalid("invalid_export", "export")
	}
	created, _ := span(below)
	found := listing{URI: uri, Created: created, Files: []listed{}}
	for _, f := range below {
		inside := relative(f, folder)
		if c.QueryParam("deep") != "1" && strings.Contains(inside, "/") ||
			export != "" && f.Restricted != (export == exportRestricted) ||
			product != "" && !strings.EqualFold(product, f.Product) {
			continue
		}
		found.Files = append(found.Files, listed{URI: "/" + inside, Size: f.Size,
			LastModified: instant(f.PublishedAt), SHA1: f.SHA1, SHA2: f.SHA256,
			Properties: properties(f)})
	}
	return c.JSON(http.StatusOK, found)
}

// span is when the first and the last of the files were published.
func span(files []models.SoftwareFile) (first, last string) {
	from, to := files[0].PublishedAt, files[0].PublishedAt
	for _, f := range files {
		if f.PublishedAt.Before(from) {
			from = f.PublishedAt
		}
		if f.PublishedAt.After(to) {
			to = f.PublishedAt
		}
	}
	return instant(from), instant(to)
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

type entitled struct {
	Repository    string    `json:"repository"`
	Export        string    `json:"export"`
	ExportCleared bool      `json:"exportCleared"`
	Products      []string  `json:"products"`
	EULAVersion   string    `json:"eulaVersion"`
	Credential    string    `json:"credential"`
	LastFour      string    `json:"lastFour"`
	ExpiresAt     time.Time `json:"expiresAt"`
	LapsesAt      time.Time `json:"lapsesAt"`
}

// entitlement says whether the credential may be used with a repository and an export choice.
func (r *repository) entitlement(c echo.Context) error {
	h, err := r.enter(c)
	if err != nil {
		return err
	}
	repo, export := c.QueryParam("repository"), c.QueryParam("export")
	switch export {
	case "", exportUnrestricted:
		export = exportUnrestricted
	case exportRestricted:
		if !h.ExportCleared() {
			return &models.Refusal{Kind: models.KindForbidden, Code: "export_restricted"}
		}
	default:
		return models.Invalid("invalid_export", "export")
	}
	if _, err := r.o.Software.Files(c.Request().Context(), h, repo); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, entitled{Repository: repo, Export: export,
		ExportCleared: h.ExportCleared(), Products: h.Products(), EULAVersion: h.EULA,
		Credential: string(h.Credential.Kind), LastFour: h.Credential.LastFour,
		ExpiresAt: h.ExpiresAt().UTC(), LapsesAt: h.LapsesAt})
}

type rotated struct {
	Token             string    `json:"token"`
	LastFour          string    `json:"lastFour"`
	ExpiresAt         time.Time `json:"expiresAt"`
	PreviousExpiresAt time.Time `json:"previousExpiresAt"`
}

// rotate answers a new token, this once.
func (r *repository) rotate(c echo.Context) error {
	kind, secret := presented(c.Request().Header)
	if kind != models.IdentityToken {
		return models.Unauthorized("invalid_download_credential")
	}
	made, err := within(r, c, func(ctx context.Context) (software.Rotated, error) {
		return r.o.Software.Rotate(ctx, handlers.Caller(c), secret)
	})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, rotated{Token: made.Secret.Reveal(),
		LastFour: made.Credential.LastFour, ExpiresAt: made.Credential.ExpiresAt.UTC(),
		PreviousExpiresAt: made.Previous.UTC()})
}
