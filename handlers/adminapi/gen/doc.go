// Package gen is the admin API's messages and routes as made from openapi.yaml; it knows nothing
// of what they do.
package gen
