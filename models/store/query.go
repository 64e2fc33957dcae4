package store

import (
	"errors"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// handle is a transaction with its pass. The functions of this file are the only ones that run
// statements; values reach them in clauses, never in text.
type handle struct {
	tx *Tx
	db *gorm.DB
}

type where = clause.Expression

func is(column string, value any) where {
	return clause.Eq{Column: clause.Column{Table: clause.CurrentTable, Name: column}, Value: value}
}

func isNot(column string, value any) where {
	return clause.Neq{Column: clause.Column{Table: clause.CurrentTable, Name: column}, Value: value}
}

func oneOf[T any](column string, values ...T) where {
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = v
	}
	return clause.IN{Column: clause.Column{Table: clause.CurrentTable, Name: column}, Values: list}
}

func after(column string, value any) where {
	return clause.Gt{Column: clause.Column{Table: clause.CurrentTable, Name: column}, Value: value}
}

func before(column string, value any) where {
	return clause.Lt{Column: clause.Column{Table: clause.CurrentTable, Name: column}, Value: value}
}

func atMost(column string, value any) where {
	return clause.Lte{Column: clause.Column{Table: clause.CurrentTable, Name: column}, Value: value}
}

func atLeast(column string, value any) where {
	return clause.Gte{Column: clause.Column{Table: clause.CurrentTable, Name: column}, Value: value}
}

// either holds where one of the conditions does.
func either(conditions ...where) where {
	parts := make([]where, len(conditions))
	for i, c := range conditions {
		parts[i] = c
		if i > 0 {
			parts[i] = clause.Or(c)
		}
	}
	return clause.And(parts...)
}

// holds takes text as it is, a percent sign finds a percent sign, and Latin letters in any case:
// both databases know no other letters' cases without being told a language.
func holds(column, text string) where {
	lower := func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}
	return clause.Expr{SQL: lowerLikeSQL, Vars: []any{
		clause.Column{Table: clause.CurrentTable, Name: column},
		pattern(strings.Map(lower, text))}}
}

// pattern finds the text anywhere.
func pattern(text string) string {
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(text) + "%"
}

type order []clause.OrderByColumn

func by(columns ...string) order {
	o := make(order, len(columns))
	for i, c := range columns {
		o[i] = clause.OrderByColumn{Column: clause.Column{Table: clause.CurrentTable, Name: c}}
	}
	return o
}

func (o order) newestFirst() order {
	for i := range o {
		o[i].Desc = true
	}
	return o
}

// take answers the one row, or ErrNotFound.
func take[T any](h handle, conditions ...where) (T, error) {
	var row T
	err := h.db.Clauses(conditions...).Take(&row).Error
	return row, h.tx.fail(err)
}

// takeAny answers the row or nil where its absence is as usual as its presence.
func takeAny[T any](h handle, conditions ...where) (*T, error) {
	row, err := take[T](h, conditions...)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &row, nil
}

// list answers at most limit rows; no limit is for what its owner bounds.
func list[T any](h handle, o order, limit int, conditions ...where) ([]T, error) {
	var rows []T
	db := h.db.Clauses(conditions...)
	if len(o) > 0 {
		db = db.Clauses(clause.OrderBy{Columns: o})
	}
	if limit > 0 {
		db = db.Limit(limit)
	}
	err := db.Find(&rows).Error
	return rows, h.tx.fail(err)
}

func create[T any](h handle, row *T) error {
	return h.tx.fail(h.db.Create(row).Error)
}

// save writes the named columns of row where the conditions hold, and answers how many rows did.
func save[T any](h handle, row *T, columns []string, conditions ...where) (int64, error) {
	var model T
	done := h.db.Model(&model).Clauses(conditions...).Select(columns).Updates(row)
	return done.RowsAffected, h.tx.fail(done.Error)
}

// saveOne is a conditional update that must change exactly one row: ErrUnchanged otherwise.
func saveOne[T any](h handle, row *T, columns []string, conditions ...where) error {
	return exactlyOne(save(h, row, columns, conditions...))
}

type values = map[string]any

// set is save with values instead of a row.
func set[T any](h handle, v values, conditions ...where) (int64, error) {
	var model T
	done := h.db.Model(&model).Clauses(conditions...).Updates(v)
	return done.RowsAffected, h.tx.fail(done.Error)
}

func setOne[T any](h handle, v values, conditions ...where) error {
	return exactlyOne(set[T](h, v, conditions...))
}

func remove[T any](h handle, conditions ...where) (int64, error) {
	var model T
	done := h.db.Clauses(conditions...).Delete(&model)
	return done.RowsAffected, h.tx.fail(done.Error)
}

func exactlyOne(changed int64, err error) error {
	switch {
	case err != nil:
		return err
	case changed != 1:
		return ErrUnchanged
	}
	return nil
}
