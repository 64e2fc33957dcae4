package store

import (
	"fmt"
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"connecthub/models"
)

// markKey is where a statement carries its pass.
const markKey = "connecthub:pass"

// The only written conditions: their columns and their patterns are arguments.
const (
	likeSQL      = "? LIKE ? ESCAPE '!'"
	lowerLikeSQL = "lower(?) LIKE ? ESCAPE '!'"
)

// pass says whose rows a statement may touch. Only Tx.In, Tx.Hub and raw make one.
type pass struct {
	organization models.OrganizationID
	hub          bool
	raw          bool
}

// tenantTable says whether a table's rows belong to tenants. A test compares it with the schema:
// it is every table that has a column organization_id.
func tenantTable(name string) bool {
	switch name {
	case "passkeys", "recovery_codes", "sign_in_challenges", "invitations", "api_tokens",
		"users", "sessions", "clusters", "nodes", "registrations", "rollouts", "permits",
		"oidc_providers", "oidc_logins", "oidc_subjects", "cloud_views",
		"entitlements", "eula_acceptances", "download_credentials",
		"audit_records", "audit_heads", "audit_checkpoints":
		return true
	}
	return false
}

// guard puts the tenant into every statement on a tenant table, and refuses statements that say
// neither whose rows they mean nor that they are the hub's own (R29). Nothing else in this package
// writes that condition, so nothing can forget it.
func guard(db *gorm.DB) error {
	c := db.Callback()
	for _, err := range []error{
		c.Query().Before("*").Register("connecthub:tenant", onRows),
		c.Row().Before("*").Register("connecthub:tenant", onRows),
		c.Update().Before("*").Register("connecthub:tenant", onRows),
		c.Delete().Before("*").Register("connecthub:tenant", onRows),
		c.Raw().Before("*").Register("connecthub:tenant", onRaw),
		c.Create().Before("*").Register("connecthub:tenant", onCreate),
	} {
		if err != nil {
			return fmt.Errorf("cannot guard tenant tables: %w", err)
		}
	}
	return nil
}

func passOf(db *gorm.DB) pass {
	if value, ok := db.Get(markKey); ok {
		if p, ok := value.(pass); ok {
			return p
		}
	}
	return pass{}
}

func onRaw(db *gorm.DB) {
	if !passOf(db).raw {
		refuse(db, "written SQL")
	}
}

func onRows(db *gorm.DB) {
	p := passOf(db)
	if p.raw {
		return
	}
	s := db.Statement
	switch {
	case s.SQL.Len() > 0 || s.TableExpr != nil || len(s.Joins) > 0:
		refuse(db, "written SQL")
	case !tenantTable(s.Table):
	case writtenCondition(s):
		refuse(db, "written SQL")
	case p.hub:
	case p.organization == "":
		refuse(db, s.Table)
	default:
		scopeRows(s, p.organization)
	}
}

// writtenCondition finds text among the conditions: a parenthesis in it could reach around the
// tenant, so only clauses with values pass, and the one form of LIKE.
func writtenCondition(s *gorm.Statement) bool {
	where, ok := s.Clauses["WHERE"].Expression.(clause.Where)
	return ok && written(where.Exprs)
}

func written(exprs []clause.Expression) bool {
	for _, e := range exprs {
		switch x := e.(type) {
		case clause.Eq, clause.Neq, clause.Gt, clause.Gte, clause.Lt, clause.Lte, clause.IN:
		case clause.AndConditions:
			if written(x.Exprs) {
				return true
			}
		case clause.OrConditions:
			if written(x.Exprs) {
				return true
			}
		case clause.Expr:
			if x.SQL != likeSQL && x.SQL != lowerLikeSQL {
				return true
			}
		default:
			return true
		}
	}
	return false
}

// scopeRows makes the tenant one side of an AND whose other side is everything that was asked,
// so that no OR in it can reach around.
func scopeRows(s *gorm.Statement, organization models.OrganizationID) {
	exprs := []clause.Expression{clause.Eq{
		Column: clause.Column{Table: clause.CurrentTable, Name: "organization_id"},
		Value:  organization}}
	if c, ok := s.Clauses["WHERE"]; ok {
		if where, ok := c.Expression.(clause.Where); ok && len(where.Exprs) > 0 {
			exprs = append(exprs, clause.And(clause.And(where.Exprs...)))
		}
		delete(s.Clauses, "WHERE")
	}
	s.AddClause(clause.Where{Exprs: exprs})
}

func onCreate(db *gorm.DB) {
	p, s := passOf(db), db.Statement
	if s.SQL.Len() > 0 || s.TableExpr != nil {
		refuse(db, "written SQL")
		return
	}
	if !tenantTable(s.Table) {
		return
	}
	if p.organization == "" {
		refuse(db, s.Table)
		return
	}
	if s.Schema == nil {
		refuse(db, s.Table)
		return
	}
	switch s.ReflectValue.Kind() {
	case reflect.Struct:
		own(db, s.ReflectValue, p.organization)
	case reflect.Slice:
		for i := range s.ReflectValue.Len() {
			own(db, reflect.Indirect(s.ReflectValue.Index(i)), p.organization)
		}
	default:
		refuse(db, s.Table)
	}
}

// own gives a new row to the tenant, and refuses one that says it is another's.
func own(db *gorm.DB, row reflect.Value, organization models.OrganizationID) {
	field := db.Statement.Schema.LookUpField("organization_id")
	if field == nil {
		refuse(db, db.Statement.Table)
		return
	}
	value, zero := field.ValueOf(db.Statement.Context, row)
	if zero {
		_ = db.AddError(field.Set(db.Statement.Context, row, organization))
		return
	}
	if value != organization {
		refuse(db, db.Statement.Table)
	}
}

func refuse(db *gorm.DB, what string) {
	_ = db.AddError(fmt.Errorf("%w: %s", ErrUnscoped, what))
}
