package web

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"
)

// schema is the part of a JSON Schema that the description uses.
type schema struct {
	Ref        string             `json:"$ref"`
	Type       any                `json:"type"`
	Format     string             `json:"format"`
	Properties map[string]*schema `json:"properties"`
	Required   []string           `json:"required"`
	Items      *schema            `json:"items"`
	AnyOf      []*schema          `json:"anyOf"`
	Additional *schema            `json:"additionalProperties"`
}

type description struct {
	Paths map[string]map[string]struct {
		Parameters []struct {
			Name string `json:"name"`
			In   string `json:"in"`
		} `json:"parameters"`
		RequestBody body            `json:"requestBody"`
		Responses   map[string]body `json:"responses"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]*schema `json:"schemas"`
	} `json:"components"`
}

// body is one body.
type body struct {
	Content map[string]struct{ Schema *schema } `json:"content"`
}

func described(t *testing.T) *description {
	t.Helper()
	var d description
	if err := json.Unmarshal([]byte(get(t, newServer(t, &fake{}, ""), "/api/v1/openapi.json")), &d); err != nil {
		t.Fatal(err)
	}
	return &d
}

func TestOpenAPINamesEveryRoute(t *testing.T) {
	t.Parallel()
	var served, inText []string
	for _, r := range newServer(t, &fake{}, "").routes() {
		method, path, _ := strings.Cut(r.pattern, " ")
		if path == "/{$}" || strings.HasPrefix(path, "/archives/") || strings.HasPrefix(path, "/assets/") {
			continue // pages
		}
		served = append(served, method+" "+path)
	}
	for path, methods := range described(t).Paths {
		for method, op := range methods {
			inText = append(inText, strings.ToUpper(method)+" "+path)
			var want, have []string
			for _, part := range strings.Split(path, "/") {
				if name, ok := strings.CutPrefix(part, "{"); ok {
					want = append(want, strings.TrimSuffix(name, "}"))
				}
			}
			for _, p := range op.Parameters {
				if p.In == "path" {
					have = append(have, p.Name)
				}
			}
			if !slices.Equal(want, have) {
				t.Errorf("%s: parameters %v are described as %v", path, want, have)
			}
		}
	}
	sort.Strings(served)
	sort.Strings(inText)
	if !slices.Equal(served, inText) {
		t.Errorf("served:    %q\ndescribed: %q", served, inText)
	}
}

func TestOpenAPIDescribesEveryField(t *testing.T) {
	t.Parallel()
	d := described(t)
	used := map[string]bool{}
	for path, answer := range map[string]map[string]any{
		"/api/v1/archives":                             {"get 200": apiArchives{}},
		"/api/v1/archives/{name}":                      {"get 200": apiArchiveHistory{}, "get 404": apiError{}},
		"/api/v1/archives/{name}/snapshots":            {"get 200": apiSnapshots{}, "get 400": apiError{}},
		"/api/v1/archives/{name}/snapshots/{sequence}": {"get 200": apiSnapshotFiles{}, "get 502": apiError{}},
		"/api/v1/archives/{name}/backup":               {"post 202": apiAccepted{}, "post 409": apiError{}},
		"/api/v1/archives/{name}/verify":               {"post 202": apiAccepted{}, "post 409": apiError{}},
		"/api/v1/archives/{name}/drill":                {"post 202": apiAccepted{}, "post 409": apiError{}},
		"/api/v1/archives/{name}/prune":                {"post 202": apiAccepted{}, "post 409": apiError{}},
		"/api/v1/archives/{name}/pause":                {"post": apiPauseRequest{}, "post 200": apiPaused{}, "post 400": apiError{}},
		"/api/v1/archives/{name}/resume":               {"post 200": apiPaused{}, "post 401": apiError{}},
		"/api/v1/archives/{name}/confirm":              {"post": apiConfirm{}, "post 202": apiAccepted{}, "post 400": apiError{}, "post 409": apiError{}},
	} {
		for key, v := range answer {
			method, code, _ := strings.Cut(key, " ")
			described := d.Paths[path][method].Responses[code]
			if code == "" {
				described = d.Paths[path][method].RequestBody
			}
			s := described.Content["application/json"].Schema
			if s == nil {
				t.Errorf("%s %s: the answer %s is not described", method, path, code)
				continue
			}
			d.compare(t, path, s, reflect.TypeOf(v), used)
		}
	}
	for name := range d.Components.Schemas {
		if !used[name] {
			t.Errorf("schema %s describes nothing that is answered or sent", name)
		}
	}
}

// compare holds a schema against the type that is encoded.
func (d *description) compare(t *testing.T, at string, s *schema, typ reflect.Type, used map[string]bool) {
	t.Helper()
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		used[name] = true
		if s = d.Components.Schemas[name]; s == nil {
			t.Fatalf("%s: there is no schema %s", at, name)
		}
	}
	if typ.Kind() == reflect.Pointer && len(s.AnyOf) == 2 && s.AnyOf[1].Type == "null" {
		d.compare(t, at, s.AnyOf[0], typ.Elem(), used)
		return
	}
	var want any
	switch {
	case typ == reflect.TypeFor[*time.Time]():
		want = []any{"string", "null"}
		if s.Format != "date-time" {
			t.Errorf("%s: the format of a time is %q", at, s.Format)
		}
	case typ == reflect.TypeFor[*int64]():
		want = []any{"integer", "null"}
	case typ.Kind() == reflect.Int64:
		want = "integer"
	case typ.Kind() == reflect.Bool:
		want = "boolean"
	case typ.Kind() == reflect.String:
		want = "string"
	case typ.Kind() == reflect.Slice:
		want = "array"
		d.compare(t, at+"[]", s.Items, typ.Elem(), used)
	case typ.Kind() == reflect.Map:
		want = "object"
		d.compare(t, at+"{}", s.Additional, typ.Elem(), used)
	case typ.Kind() == reflect.Struct:
		want = "object"
		d.fields(t, at, s, typ, used)
	default:
		t.Fatalf("%s: nothing is known of %s", at, typ)
	}
	if !reflect.DeepEqual(s.Type, want) {
		t.Errorf("%s: described as %v, is %v", at, s.Type, want)
	}
}

func (d *description) fields(t *testing.T, at string, s *schema, typ reflect.Type, used map[string]bool) {
	t.Helper()
	var have []string // always
	all := 0
	for _, f := range reflect.VisibleFields(typ) {
		if f.Anonymous {
			continue
		}
		name, isOptional := strings.CutSuffix(f.Tag.Get("json"), ",omitempty")
		all++
		if !isOptional {
			have = append(have, name)
		}
		p := s.Properties[name]
		if p == nil {
			t.Errorf("%s: %s is not described", at, name)
			continue
		}
		d.compare(t, at+"."+name, p, f.Type, used)
	}
	if len(s.Properties) != all {
		t.Errorf("%s: %d fields are described, there are %d", at, len(s.Properties), all)
	}
	required := slices.Clone(s.Required)
	sort.Strings(required)
	sort.Strings(have)
	if !slices.Equal(required, have) {
		t.Errorf("%s: required %v, but always there are %v", at, required, have)
	}
}

func TestOpenAPISaysHowItFails(t *testing.T) {
	t.Parallel()
	for path, methods := range described(t).Paths {
		for method, op := range methods {
			for code, r := range op.Responses {
				_, isJSON := r.Content["application/json"]
				if code[0] != '2' && strings.HasPrefix(path, "/api/") && !isJSON {
					t.Errorf("%s %s: %s %s is not JSON", method, path, code, http.StatusText(int(code[0]-'0')*100))
				}
			}
		}
	}
}
