package app

import (
	"io/fs"
	"net/http"
	"path"
	"strings"

	"connecthub/frontend"
	"connecthub/models"

	"github.com/labstack/echo/v4"
)

// immutable is for files whose names change with their content.
const immutable = "public, max-age=31536000, immutable"

// registerConsole serves the console: its files, and its one page for every other address that a
// browser asks for as a page. What an API would have answered is never that page.
func registerConsole(e *echo.Echo) {
	files, policy := frontend.FS(), frontend.ContentSecurityPolicy()
	assets := http.FileServerFS(files)
	e.Match(reading(), "/*", func(c echo.Context) error {
		name := strings.TrimPrefix(path.Clean(c.Request().URL.Path), "/")
		h := c.Response().Header()
		h.Set("Content-Security-Policy", policy)
		if info, err := fs.Stat(files, name); err == nil && !info.IsDir() && name != "index.html" {
			if strings.HasPrefix(name, "assets/") {
				h.Set(echo.HeaderCacheControl, immutable)
			}
			assets.ServeHTTP(c.Response(), c.Request())
			return nil
		}
		if strings.HasPrefix(name, "api/") || strings.HasPrefix(name, "depot/") ||
			strings.HasPrefix(name, "assets/") ||
			name != "" && !wantsPage(c.Request()) {
			return models.NotFound()
		}
		page, err := fs.ReadFile(files, "index.html")
		if err != nil {
			return err
		}
		h.Set(echo.HeaderCacheControl, "no-cache")
		return c.HTMLBlob(http.StatusOK, page)
	})
}

func wantsPage(r *http.Request) bool {
	return strings.Contains(r.Header.Get(echo.HeaderAccept), "text/html")
}
