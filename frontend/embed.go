// Package frontend holds the built console, to be served by the hub; it knows neither HTTP nor
// the hub.
package frontend

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Hashes of the two constant style blocks that Momentum's dialog and popover add for their
// backdrops. They change with Momentum's version; the browser tests fail on a violation.
const (
	dialogBackdrop  = "'sha256-QNN5oXOcMTsMVEjkTPuWRstWRt6QgZD2sxOSf6Ot5sg='"
	popoverBackdrop = "'sha256-/4RaR0+pNacn784rGDvdyrYKiIXv6VnPF0ToQSMKQlI='"
)

// Built reports whether the console was built before this binary was.
func Built() bool {
	_, err := fs.Stat(dist, "dist/index.html")
	return err == nil
}

// FS holds the console's files. It always has an index.html: without a built console that is a
// page which says how to build it.
func FS() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // "dist" is a valid path
	}
	if Built() {
		return files
	}
	return placeholder{files}
}

type placeholder struct{ fs.FS }

func (p placeholder) Open(name string) (fs.File, error) {
	if name == "index.html" {
		name = "placeholder.html"
	}
	return p.FS.Open(name)
}

// ContentSecurityPolicy is the policy under which the console runs: its own files and its own
// API, nothing inline, and no markup from strings.
func ContentSecurityPolicy() string {
	return "default-src 'none'; script-src 'self'; " +
		"style-src 'self' " + dialogBackdrop + " " + popoverBackdrop + "; " +
		"font-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; " +
		"form-action 'self'; frame-ancestors 'none'; " +
		"require-trusted-types-for 'script'; trusted-types lit-html"
}
