// Package store keeps the nouns of models in SQLite or PostgreSQL; it alone knows gorm and SQL,
// and it knows no rule that needs more than one conditional statement or one unique index.
//
// A caller opens one transaction with Update or View and reaches a tenant's rows only through
// Tx.In(organization); the few methods that look across tenants stand on Tx.Hub().
package store
