// Package client calls the admin API from Go, as made from openapi.yaml; it knows nothing of the
// hub's inside.
package client
