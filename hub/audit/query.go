package audit

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"connecthub/models"
	"connecthub/models/store"
)

// The bounds of a query.
const (
	DefaultPage = 100
	MaxPage     = 200
	MaxExport   = 20_000
	maxFilter   = 1024 // bytes
	maxActions  = 64
)

// Query says which records somebody looks for: those of one year at most.
type Query struct {
	From, To   time.Time // from From on, before To
	ActorID    string
	Actor      string // part of a name or an e-mail address
	Categories []Category
	Actions    []string
	Target     string // part of a name, or an id
	ClusterID  models.ClusterID
	Text       string // part of a name, an address or what an action is called
	Max        int    // 0: DefaultPage
	Cursor     string // Page.Next of the page before
}

// Entry is a record as the organization's administrators may see it.
type Entry struct {
	models.AuditRecord
	Category          Category
	ActorOrganization string // name; of another organization only what it is to this one
}

// Page is a part of what was found, newest first.
type Page struct {
	Entries []Entry
	Next    string // "": there is no more
}

// List answers one page of the actor's organization's log.
func (a *Audit) List(ctx context.Context, by models.Actor, q Query) (Page, error) {
	if by.Role != models.FullAdmin {
		return Page{}, models.Forbidden()
	}
	filter, err := q.filter()
	if err != nil {
		return Page{}, err
	}
	size := q.Max
	if size <= 0 {
		size = DefaultPage
	}
	size = min(size, MaxPage)
	filter.Limit = size
	entries, err := a.find(ctx, by, filter)
	if err != nil {
		return Page{}, err
	}
	p := Page{Entries: entries}
	if len(entries) == size {
		p.Next = cursorOf(entries[size-1].AuditRecord)
	}
	return p, nil
}

// Each hands out every record that was found, newest first, at most MaxExport. It holds one page in
// memory, and no transaction while each is busy.
func (a *Audit) Each(ctx context.Context, by models.Actor, q Query, each func([]Entry) error) error {
	if by.Role != models.FullAdmin {
		return models.Forbidden()
	}
	filter, err := q.filter()
	if err != nil {
		return err
	}
	for left := MaxExport; left > 0; left -= MaxPage {
		filter.Limit = min(left, MaxPage)
		entries, err := a.find(ctx, by, filter)
		if err != nil {
			return err
		}
		if err := each(entries); err != nil {
			return err
		}
		if len(entries) < filter.Limit {
			return nil
		}
		last := entries[len(entries)-1]
		filter.Below = &store.AuditPlace{At: last.At, Sequence: last.Sequence}
	}
	return nil
}

func (a *Audit) find(ctx context.Context, by models.Actor, f store.AuditFilter) ([]Entry, error) {
	var entries []Entry
	err := a.o.Store.View(ctx, func(tx *store.Tx) error {
		s := tx.In(by.Organization)
		records, err := s.FindAudit(f)
		if err != nil {
			return err
		}
		own, err := s.Own()
		if err != nil {
			return err
		}
		entries = make([]Entry, 0, len(records))
		for _, r := range records {
			entries = append(entries, entryOf(r, own, by.Language))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the audit log: %w", err)
	}
	return entries, nil
}

// entryOf hides who somebody of another organization is, and who runs the hub: they are nobody's of
// this organization (R29). The record itself, which operators verify, keeps them.
func entryOf(r models.AuditRecord, own models.Organization, language string) Entry {
	e := Entry{AuditRecord: r, Category: CategoryOf(r.Action), ActorOrganization: own.Name}
	en, ja := "", ""
	switch {
	case r.ActorKind == models.ActorCommand:
		en, ja = "Hub operator", "ハブの運用者"
	case r.ActorOrganization != "" && r.ActorOrganization != r.OrganizationID:
		en, ja = "Vendor", "ベンダー"
	case r.ActorKind == models.ActorHub:
		e.ActorOrganization = ""
		return e
	default:
		return e
	}
	name := en
	if language == "ja" {
		name = ja
	}
	e.ActorName, e.ActorOrganization = name, name
	e.ActorID, e.ActorEmail, e.ActorRole, e.Address, e.UserAgent = "", "", "", "", ""
	e.AuditRecord.ActorOrganization = ""
	return e
}

func (q Query) filter() (store.AuditFilter, error) {
	f := store.AuditFilter{From: q.From, To: q.To, ActorID: q.ActorID, Actor: q.Actor,
		Target: q.Target, ClusterID: q.ClusterID, Text: q.Text}
	if !q.From.Before(q.To) || q.To.After(q.From.AddDate(1, 0, 0)) {
		return f, models.Invalid("invalid_period", "to")
	}
	for _, c := range q.Categories {
		if c.Name("en") == string(c) {
			return f, models.Invalid("invalid_category", "categories")
		}
	}
	if q.Max < 0 || q.Max > MaxPage {
		return f, models.Invalid("invalid_max", "max")
	}
	if len(q.Actions) > maxActions {
		return f, models.Invalid("invalid_filter", "actions")
	}
	for field, text := range map[string]string{"actor": q.Actor, "actor_id": q.ActorID,
		"target": q.Target, "cluster_id": string(q.ClusterID), "text": q.Text,
		"actions": strings.Join(q.Actions, ",")} {
		if len(text) > maxFilter || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return f, models.Invalid("invalid_filter", field)
		}
	}
	f.Actions = actionsOf(q.Categories)
	if len(q.Actions) > 0 {
		f.Actions = both(f.Actions, q.Actions)
	}
	if q.Text != "" {
		f.TextActions = actionsSaying(q.Text)
	}
	if q.Cursor != "" {
		place, err := placeOf(q.Cursor)
		if err != nil {
			return f, models.Invalid("invalid_cursor", "cursor")
		}
		f.Below = &place
	}
	return f, nil
}

// both are the wanted that are among those; of no restriction all.
func both(those, wanted []string) []string {
	if those == nil {
		return wanted
	}
	found := []string{}
	for _, w := range wanted {
		for _, t := range those {
			if w == t {
				found = append(found, w)
			}
		}
	}
	return found
}

func cursorOf(r models.AuditRecord) string {
	text := strconv.FormatInt(r.At.UnixMicro(), 36) + "." + strconv.FormatInt(r.Sequence, 36)
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

var errCursor = errors.New("this is no cursor")

func placeOf(cursor string) (store.AuditPlace, error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return store.AuditPlace{}, errCursor
	}
	at, sequence, _ := strings.Cut(string(raw), ".")
	micro, err1 := strconv.ParseInt(at, 36, 64)
	place, err2 := strconv.ParseInt(sequence, 36, 64)
	if err1 != nil || err2 != nil {
		return store.AuditPlace{}, errCursor
	}
	return store.AuditPlace{At: time.UnixMicro(micro).UTC(), Sequence: place}, nil
}
