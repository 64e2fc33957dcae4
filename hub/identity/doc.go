// Package identity is who may use the hub: organizations, people, invitations, passwords, passkeys,
// sessions and API tokens. It knows no HTTP and no clusters.
package identity
