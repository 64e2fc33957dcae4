// Package models holds the nouns of Connect Hub and what must always be true of them. It knows no
// database, no network and no clock: rows carry their storage hints as plain tags.
package models
