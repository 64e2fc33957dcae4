// Package seal keeps secrets unreadable at rest: each value has a data key of its own, which a key
// kept apart from the data wraps. It knows no tables, no tenants' rows and not who keeps its keys.
package seal
