package adminapi

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"connecthub/models"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"
)

// document is the contract that this package keeps.
//
//go:embed openapi.yaml
var document []byte

//go:embed docs.html
var docsPage string

//go:embed docs.css
var docsStyle []byte

// docsPolicy lets the page use its own style sheet and nothing else.
const docsPolicy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; " +
	"frame-ancestors 'none'"

// Document is the OpenAPI document, read and checked.
func Document() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, fmt.Errorf("cannot read the OpenAPI document: %w", err)
	}
	return doc, nil
}

// registerDocs serves the document and a page that shows it. Both are made once, here.
func registerDocs(e *echo.Echo) error {
	doc, err := Document()
	if err != nil {
		return err
	}
	asJSON, err := doc.MarshalJSON()
	if err != nil {
		return fmt.Errorf("cannot write the OpenAPI document as JSON: %w", err)
	}
	page, err := renderDocs(doc)
	if err != nil {
		return err
	}
	serve := func(path, kind string, body []byte) {
		e.GET(path, func(c echo.Context) error {
			c.Response().Header().Set("Content-Security-Policy", docsPolicy)
			return c.Blob(http.StatusOK, kind, body)
		})
	}
	serve(Base+"/openapi.yaml", "application/yaml", document)
	serve(Base+"/openapi.json", echo.MIMEApplicationJSON, asJSON)
	serve("/api/docs", echo.MIMETextHTMLCharsetUTF8, page)
	serve("/api/docs/style.css", "text/css; charset=utf-8", docsStyle)
	return nil
}

// operationDoc is one operation as the page shows it.
type operationDoc struct {
	ID, Method, Path, Summary, Description, Who string
	Parameters                                  []string
	Body                                        string // name of its schema
	Answers                                     []answerDoc
}

type answerDoc struct{ Status, Description, Schema string }

type tagDoc struct {
	Name, Description string
	Operations        []operationDoc
}

type fieldDoc struct{ Name, Type, Description string }

type schemaDoc struct {
	Name, Type, Description string
	Fields                  []fieldDoc
}

type errorDoc struct{ Code, English, Japanese string }

func renderDocs(doc *openapi3.T) ([]byte, error) {
	t, err := template.New("docs").Parse(docsPage)
	if err != nil {
		return nil, fmt.Errorf("cannot read the page of the documentation: %w", err)
	}
	var out bytes.Buffer
	err = t.Execute(&out, map[string]any{
		"Title": doc.Info.Title, "Version": doc.Info.Version, "Base": Base,
		"Description": doc.Info.Description, "Tags": tagDocs(doc), "Schemas": schemaDocs(doc),
		"Errors": errorDocs(),
	})
	if err != nil {
		return nil, fmt.Errorf("cannot render the documentation: %w", err)
	}
	return out.Bytes(), nil
}

func tagDocs(doc *openapi3.T) []tagDoc {
	access := Access()
	tags := each(doc.Tags, func(t *openapi3.Tag) tagDoc {
		return tagDoc{Name: t.Name, Description: t.Description}
	})
	for _, path := range doc.Paths.InMatchingOrder() {
		item := doc.Paths.Find(path)
		for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
			op := item.GetOperation(method)
			if op == nil {
				continue
			}
			o := operationOf(method, path, item, op)
			o.Who = whoText(access[op.OperationID])
			for i := range tags {
				if slices.Contains(op.Tags, tags[i].Name) {
					tags[i].Operations = append(tags[i].Operations, o)
				}
			}
		}
	}
	for _, t := range tags {
		slices.SortFunc(t.Operations, func(a, b operationDoc) int {
			return strings.Compare(a.Path, b.Path)
		})
	}
	return tags
}

func operationOf(method, path string, item *openapi3.PathItem, op *openapi3.Operation) operationDoc {
	o := operationDoc{ID: op.OperationID, Method: method, Path: path, Summary: op.Summary,
		Description: op.Description}
	for _, p := range append(slices.Clone(item.Parameters), op.Parameters...) {
		o.Parameters = append(o.Parameters, p.Value.Name+" ("+p.Value.In+")")
	}
	if op.RequestBody != nil {
		for _, media := range op.RequestBody.Value.Content {
			o.Body = typeOf(media.Schema)
		}
	}
	for status, r := range op.Responses.Map() {
		a := answerDoc{Status: status, Description: *r.Value.Description}
		for _, media := range r.Value.Content {
			a.Schema = typeOf(media.Schema)
		}
		o.Answers = append(o.Answers, a)
	}
	slices.SortFunc(o.Answers, func(a, b answerDoc) int { return strings.Compare(a.Status, b.Status) })
	return o
}

func whoText(w Who) string {
	switch {
	case w.Anyone:
		return "anyone"
	case w.Everyone:
		return "whoever is signed in"
	}
	return strings.Join(each(w.Roles, func(r models.Role) string { return string(r) }), ", ")
}

func schemaDocs(doc *openapi3.T) []schemaDoc {
	var out []schemaDoc
	for name, ref := range doc.Components.Schemas {
		s := schemaDoc{Name: name, Description: ref.Value.Description}
		if len(ref.Value.Properties) == 0 {
			s.Type = typeOf(&openapi3.SchemaRef{Value: ref.Value})
		}
		for field, property := range ref.Value.Properties {
			kind := typeOf(property)
			if !slices.Contains(ref.Value.Required, field) {
				kind += ", optional"
			}
			s.Fields = append(s.Fields, fieldDoc{field, kind, property.Value.Description})
		}
		slices.SortFunc(s.Fields, func(a, b fieldDoc) int { return strings.Compare(a.Name, b.Name) })
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b schemaDoc) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// typeOf is the name of a schema, or else what it is.
func typeOf(ref *openapi3.SchemaRef) string {
	if ref == nil {
		return ""
	}
	if name, ok := strings.CutPrefix(ref.Ref, "#/components/schemas/"); ok {
		return name
	}
	s := ref.Value
	switch {
	case s.Type.Is("array"):
		return "list of " + typeOf(s.Items)
	case len(s.Enum) > 0:
		return strings.Join(each(s.Enum, func(v any) string { return fmt.Sprint(v) }), " | ")
	case s.Type.Is("object"):
		var fields []string
		for name, property := range s.Properties {
			fields = append(fields, name+": "+typeOf(property))
		}
		slices.Sort(fields)
		return "{" + strings.Join(fields, ", ") + "}"
	case s.Format != "":
		return s.Format
	case s.Type != nil:
		return strings.Join(s.Type.Slice(), " | ")
	}
	return "any"
}

func errorDocs() []errorDoc {
	codes := models.Codes()
	slices.Sort(codes)
	return each(codes, func(code models.Code) errorDoc {
		r := &models.Refusal{Code: code, Subject: "…"}
		return errorDoc{string(code), r.Sentence("en"), r.Sentence("ja")}
	})
}
