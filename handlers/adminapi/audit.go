package adminapi

import (
	"encoding/json"
	"net/http"
	"strings"

	"connecthub/handlers"
	"connecthub/handlers/adminapi/gen"
	"connecthub/hub/audit"
	"connecthub/models"

	"github.com/labstack/echo/v4"
)

// RouteExport is the route of the audit log's export, which may take as long as its reader.
const RouteExport = Base + "/audit/export"

// ListAudit handles GET /audit.
func (a *API) ListAudit(c echo.Context, params gen.ListAuditParams) error {
	q := audit.Query{From: params.From, To: params.To, Actor: filterText(params.Actor),
		ActorID: filterText(params.ActorId), Actions: commas[string](params.Actions),
		Categories: commas[audit.Category](params.Categories), Target: filterText(params.Target),
		ClusterID: models.ClusterID(filterText(params.ClusterId)), Text: filterText(params.Text),
		Cursor: filterText(params.Cursor)}
	if params.Max != nil {
		if q.Max = *params.Max; q.Max < 1 {
			return models.Invalid("invalid_max", "max")
		}
	}
	page, err := a.o.Audit.List(c.Request().Context(), spoken(c), q)
	language := handlers.Language(c)
	return answer(c, http.StatusOK, page, err, func(p audit.Page) gen.AuditList {
		return gen.AuditList{Next: some(p.Next), Items: each(p.Entries,
			func(e audit.Entry) gen.AuditItem { return auditItemOf(e, language) })}
	})
}

// ExportAudit handles GET /audit/export. Once the first rows are out a failure can only break the
// answer off; the log says why.
func (a *API) ExportAudit(c echo.Context, params gen.ExportAuditParams) error {
	q := audit.Query{From: params.From, To: params.To, Actor: filterText(params.Actor),
		ActorID: filterText(params.ActorId), Actions: commas[string](params.Actions),
		Categories: commas[audit.Category](params.Categories), Target: filterText(params.Target),
		ClusterID: models.ClusterID(filterText(params.ClusterId)), Text: filterText(params.Text)}
	table := audit.NewCSV(c.Response(), handlers.Language(c))
	return a.o.Audit.Each(c.Request().Context(), spoken(c), q, func(entries []audit.Entry) error {
		if h := c.Response().Header(); h.Get(echo.HeaderContentType) == "" {
			h.Set(echo.HeaderContentType, "text/csv; charset=utf-8")
			h.Set(echo.HeaderContentDisposition, `attachment; filename="audit-`+
				q.From.UTC().Format("20060102")+"-"+q.To.UTC().Format("20060102")+`.csv"`)
			h.Set(echo.HeaderCacheControl, "no-store")
		}
		return table.Write(entries)
	})
}

// ListAuditCategories handles GET /audit/categories.
func (a *API) ListAuditCategories(c echo.Context) error {
	language := handlers.Language(c)
	return answer(c, http.StatusOK, audit.Categories(), nil,
		func(all []audit.Category) gen.AuditCategories {
			return gen.AuditCategories{Items: each(all, func(one audit.Category) gen.AuditCategory {
				return gen.AuditCategory{Id: string(one), Name: one.Name(language)}
			})}
		})
}

// spoken is who acts, in the language of the request.
func spoken(c echo.Context) models.Actor {
	actor := handlers.Actor(c)
	actor.Language = handlers.Language(c)
	return actor
}

func auditItemOf(e audit.Entry, language string) gen.AuditItem {
	return gen.AuditItem{
		Id: string(e.ID), Sequence: e.Sequence, Timestamp: e.At.UTC(), Category: string(e.Category),
		Action: e.Action, ActionText: audit.Text(e.Action, language),
		ActorKind: gen.AuditItemActorKind(e.ActorKind), ActorId: some(e.ActorID),
		ActorName: e.ActorName, ActorEmail: some(e.ActorEmail), ActorRole: some(e.ActorRole),
		ActorOrgId:   some(e.AuditRecord.ActorOrganization),
		ActorOrgName: some(e.ActorOrganization), ActorIp: some(e.Address),
		ActorUserAgent: some(e.UserAgent), TargetType: e.TargetKind, TargetId: e.TargetID,
		TargetName: e.TargetName, TargetOrgId: some(e.OrganizationID),
		ClusterId: some(e.ClusterID), Before: recordedOf(e.Before), After: recordedOf(e.After),
		TrackingId: some(e.TrackingID),
	}
}

// recordedOf is a recorded value as an object, whatever it was.
func recordedOf(text string) *map[string]any {
	var v any
	if text == "" || json.Unmarshal([]byte(text), &v) != nil {
		return nil
	}
	object, ok := v.(map[string]any)
	if !ok {
		object = map[string]any{"value": v}
	}
	return &object
}

func filterText(text *string) string {
	if text == nil {
		return ""
	}
	return strings.TrimSpace(*text)
}

func commas[S ~string](list *string) (all []S) {
	for one := range strings.SplitSeq(filterText(list), ",") {
		if one = strings.TrimSpace(one); one != "" {
			all = append(all, S(one))
		}
	}
	return all
}
