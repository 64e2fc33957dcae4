// Package identity is who may use the hub: organizations, users, passwords and sessions. It knows
// no HTTP and no clusters.
package identity
