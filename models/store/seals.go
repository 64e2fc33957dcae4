package store

import (
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// theHub is the id of a row that there is once.
const theHub = "hub"

// sealMark is a known text under the seal key, in its one row.
type sealMark struct {
	ID     string `gorm:"primaryKey"`
	Sealed string
}

// TableName names its table.
func (sealMark) TableName() string { return "seal_marks" }

// SealMark answers the text by which a wrong seal key is found out, or ErrNotFound.
func (h *Hub) SealMark() (string, error) {
	row, err := take[sealMark](h.handle, is("id", theHub))
	return row.Sealed, err
}

// SetSealMark writes it. ErrUnchanged: another replica has been first.
func (h *Hub) SetSealMark(sealed string) error {
	done := h.db.Clauses(doNothing()).Create(&sealMark{ID: theHub, Sealed: sealed})
	return exactlyOne(done.RowsAffected, h.tx.fail(done.Error))
}

// SealedValue is one sealed text of the database and where it stands.
type SealedValue struct {
	Table, Column, ID, Text string
}

// sealedColumn is a column of sealed texts, and the key of its table. A test finds every column
// whose name speaks of a seal here, so that a change of keys forgets none.
type sealedColumn struct{ table, column, key string }

func sealedColumns() []sealedColumn {
	return []sealedColumn{
		{"seal_marks", "sealed", "id"},
		{"oidc_providers", "sealed_secret", "organization_id"},
	}
}

// SealedValues answers every sealed text of the hub, of all tenants: they are of no use without the
// seal key, and changing the key needs them all.
func (h *Hub) SealedValues() ([]SealedValue, error) {
	var all []SealedValue
	raw := h.tx.raw()
	for _, c := range sealedColumns() {
		var found []struct{ ID, Text string }
		err := raw.db.Table(c.table).Clauses(
			clause.Select{Columns: []clause.Column{{Name: c.key, Alias: "id"},
				{Name: c.column, Alias: "text"}}},
			clause.Neq{Column: clause.Column{Name: c.column}, Value: ""}).Find(&found).Error
		if err := h.tx.fail(err); err != nil {
			return nil, fmt.Errorf("cannot read the sealed values of %s: %w", c.table, err)
		}
		for _, v := range found {
			all = append(all, SealedValue{Table: c.table, Column: c.column, ID: v.ID, Text: v.Text})
		}
	}
	return all, nil
}

// Reseal puts another text in the place of a sealed one that is still as it was read:
// ErrUnchanged otherwise.
func (h *Hub) Reseal(v SealedValue, text string) error {
	for _, c := range sealedColumns() {
		if c.table != v.Table || c.column != v.Column {
			continue
		}
		done := h.tx.raw().db.Table(c.table).Clauses(whereIs(c.key, v.ID), whereIs(c.column, v.Text)).
			Updates(values{c.column: text})
		return exactlyOne(done.RowsAffected, h.tx.fail(done.Error))
	}
	return fmt.Errorf("%w: %s.%s holds nothing sealed", gorm.ErrInvalidField, v.Table, v.Column)
}

func whereIs(column, value string) where {
	return clause.Eq{Column: clause.Column{Name: column}, Value: value}
}
