// Package oidc is signing in through an organization's own OpenID Connect provider: the journey of a
// browser there and back, and every check of what it brings. It knows no HTTP server, and connects
// to no host that the hub's operator did not name.
package oidc
