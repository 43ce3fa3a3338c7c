package config

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/archive/retention"
)

// node is as much of JSON Schema as ours uses.
type node struct {
	Ref         string           `json:"$ref"`
	ID          string           `json:"$id"`
	Draft       string           `json:"$schema"`
	Defs        map[string]*node `json:"$defs"`
	Title       string           `json:"title"`
	Description string           `json:"description"`
	Type        string           `json:"type"`
	Properties  map[string]*node `json:"properties"`
	Additional  *bool            `json:"additionalProperties"`
	Required    []string         `json:"required"`
	Items       *node            `json:"items"`
	MinItems    int              `json:"minItems"`
	MinLength   int              `json:"minLength"`
	AnyOf       []*node          `json:"anyOf"`
	OneOf       []*node          `json:"oneOf"`
	MaxItems    int              `json:"maxItems"`
	Enum        []any            `json:"enum"`
	Pattern     string           `json:"pattern"`
	Minimum     *float64         `json:"minimum"`
	Maximum     *float64         `json:"maximum"`
	Default     any              `json:"default"`
	Examples    []string         `json:"examples"`
	Patterns    map[string]*node `json:"patternProperties"`
}

func readSchema(t *testing.T) *node {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(Schema))
	d.DisallowUnknownFields()
	n := &node{}
	if err := d.Decode(n); err != nil {
		t.Fatal(err)
	}
	if n.Draft != "https://json-schema.org/draft/2020-12/schema" {
		t.Errorf("the draft is %s", n.Draft)
	}
	return n
}

// at follows a path of names; references count as what they refer to.
func (n *node) at(t *testing.T, root *node, names ...string) *node {
	t.Helper()
	for _, name := range append(names, "") {
		for n != nil && n.Ref != "" {
			path := strings.Split(strings.TrimPrefix(n.Ref, "#/$defs/"), "/properties/")
			described := n.Description
			target := root.Defs[path[0]]
			if target == nil {
				t.Fatalf("%s leads nowhere", n.Ref)
			}
			if len(path) > 1 {
				target = target.Properties[path[1]]
			}
			whole := *target
			if described != "" {
				whole.Description = described
			}
			n = &whole
		}
		if n == nil {
			t.Fatalf("the schema lacks %v", names)
		}
		if name != "" {
			n = n.Properties[name]
		}
	}
	return n
}

// agree checks that an object has the keys of a Go type, and that types and descriptions fit.
func agree(t *testing.T, root, n *node, typ reflect.Type, valid, required []string) {
	t.Helper()
	if n.Type != "object" || n.Additional == nil || *n.Additional {
		t.Errorf("%v: other keys are allowed", typ)
	}
	if !slices.Equal(n.Required, required) {
		t.Errorf("%v: required are %v, not %v", typ, n.Required, required)
	}
	if len(n.Properties) != len(valid) {
		t.Errorf("%v: the schema has %d keys, not %d", typ, len(n.Properties), len(valid))
	}
	for f := range typ.Fields() {
		key := f.Tag.Get("yaml")
		if key == "" || !slices.Contains(valid, key) {
			continue
		}
		p := n.at(t, root, key)
		if p.Description == "" {
			t.Errorf("%s has no description", key)
		}
		got := p.Type
		for _, one := range p.AnyOf {
			if one.Type != "" {
				got = one.Type
			} else if one.Enum != nil {
				got = map[bool]string{true: "integer", false: "string"}[reflect.TypeOf(one.Enum[0]).Kind() == reflect.Float64]
			}
		}
		want := map[reflect.Kind]string{
			reflect.String: "string", reflect.Int: "integer", reflect.Int64: "string", reflect.Struct: "object", reflect.Slice: "array", reflect.Pointer: "object", reflect.Float64: "string",
			reflect.Map: "object",
		}[f.Type.Kind()]
		if f.Type == reflect.TypeFor[*Bandwidth]() {
			want = "array"
		}
		if f.Type == reflect.TypeFor[*cost.Amount]() {
			want = "number" // or a text
		}
		if f.Type == reflect.TypeFor[retention.Limit]() {
			want = "integer" // or a text
		}
		if got != want {
			t.Errorf("%s is of type %s, not %s", key, got, want)
		}
	}
}

func TestSchemaAgreesWithTypes(t *testing.T) {
	t.Parallel()
	root := readSchema(t)
	agree(t, root, root, reflect.TypeFor[Config](), append(keys[Config](), "defaults"), []string{"archives"})
	a := root.at(t, root, "archives").Items.at(t, root)
	agree(t, root, a, reflect.TypeFor[Archive](), append(keys[Archive](), "destinations"), []string{"name", "source"})
	agree(t, root, a.at(t, root, "source"), reflect.TypeFor[Source](), keys[Source](), []string{"dir"})
	agree(t, root, root.at(t, root, "http"), reflect.TypeFor[HTTP](), keys[HTTP](), nil)
	agree(t, root, a.at(t, root, "verify"), reflect.TypeFor[Verify](), keys[Verify](), []string{"schedule"})
	agree(t, root, a.at(t, root, "drill"), reflect.TypeFor[Drill](), keys[Drill](), nil)
	agree(t, root, a.at(t, root, "encryption"), reflect.TypeFor[Encryption](), keys[Encryption](), []string{"recipients"})
	agree(t, root, a.at(t, root, "retention"), reflect.TypeFor[Retention](), keys[Retention](), nil)
	prices := root.at(t, root, "prices").Items.at(t, root)
	agree(t, root, prices, reflect.TypeFor[cost.Prices](), append(keys[Prices](), keys[cost.Prices]()...), []string{"currency"})
	for _, class := range prices.at(t, root, "classes").Patterns {
		agree(t, root, class.at(t, root), reflect.TypeFor[cost.Class](), keys[cost.Class](), nil)
	}
	price := regexp.MustCompile(root.Defs["price"].AnyOf[0].Pattern)
	for _, text := range []string{"0", "0.09", "12", "999999999.123456789012", "", "-1", "1e3", ".5", "1.", "01", "1,5", "0.1234567890123", "1234567890", " 1"} {
		if _, err := cost.ParsePrice(text); (err == nil) != price.MatchString(text) {
			t.Errorf("the price %q: Parse returns %v", text, err)
		}
	}
	agree(t, root, root.at(t, root, "defaults"), reflect.TypeFor[Archive](), sharedKeys(), nil)
}

// Every value that the schema offers is valid, and the schema refuses what Parse refuses.
func TestSchemaAgreesWithParse(t *testing.T) {
	t.Parallel()
	root := readSchema(t)
	source := root.Defs["source"]
	for _, v := range source.Properties["layout"].AnyOf[0].Enum {
		more := ""
		if v == "segments" || v == "files" {
			more = "\npattern: '(x)'"
		}
		mustParse(t, minimal("layout: "+v.(string)+more, ""))
	}
	for _, v := range source.Properties["closed"].AnyOf[0].Enum {
		mustParse(t, minimal("layout: segments\npattern: '(x)'\nclosed: "+v.(string), ""))
	}
	for _, v := range source.Properties["tail"].AnyOf[0].Enum {
		mustParse(t, minimal("tail: "+v.(string), ""))
	}
	for _, v := range source.Properties["entries"].AnyOf[0].Enum {
		mustParse(t, minimal("entries: "+v.(string), ""))
	}
	if got := source.Properties["base"].AnyOf[0].Enum; !reflect.DeepEqual(got, []any{10., 16.}) {
		t.Errorf("the bases are %v", got)
	}
	archive := root.Defs["archive"].Properties
	if n := archive["transfers"]; *n.AnyOf[0].Minimum != 1 || *n.AnyOf[0].Maximum != 256 || n.Default != float64(DefaultTransfers) {
		t.Errorf("transfers: %+v", n)
	}
	rate := regexp.MustCompile(root.Defs["rate"].Pattern)
	for _, text := range []string{"50MiB/s", "1.5 GB/s", "100Mbit/s", "16KiB/s", "20000B/s", "unlimited", "", "50", "50MiB", "5M/s", "-1MB/s", "Unlimited"} {
		if _, err := parseRate(text); (err == nil) != rate.MatchString(text) {
			t.Errorf("%q: Parse returns %v", text, err)
		}
	}
	for _, text := range archive["bandwidth"].Examples {
		mustParse(t, minimal("", "bandwidth: "+text))
	}
	for _, expr := range archive["schedule"].Examples {
		mustParse(t, minimal("", "schedule: '"+expr+"'"))
	}
	limit := archive["retention"].Properties["prune_limit"]
	for _, text := range append(limit.Examples, "1%", "100%", "0%", "101%", "025%", "2.5%", "%", "10", "on", "-3%") {
		file := minimal("", "retention: {last: 3, prune_limit: '"+text+"'}")
		wellFormed := text == "10" || regexp.MustCompile(limit.AnyOf[0].Pattern).MatchString(text) // which only a variable can be
		if _, err := parse(file); (err == nil) != wellFormed {
			t.Errorf("prune_limit %q: Parse returns %v", text, err)
		}
	}
	if n := limit.AnyOf[1]; *n.Minimum != 1 || *n.Maximum != maxKept || limit.Default != "25%" {
		t.Errorf("prune_limit: %+v", limit)
	}
	for _, url := range archive["destination"].Examples {
		mustParse(t, strings.Replace(minimal("", ""), "file:///backup", url, 1))
	}
	duration := regexp.MustCompile(root.Defs["duration"].Pattern)
	for _, text := range []string{"30s", "1h30m", "7d", "2w1d3h4m5s6ms", "", "30", "1y", "30m1h", "1.5h", "-1s"} {
		if _, err := ParseDuration(text); (err == nil) != (duration.MatchString(text) && len(text) >= root.Defs["duration"].MinLength) {
			t.Errorf("%q: Parse returns %v", text, err)
		}
	}
	if d, err := ParseDuration("60s"); err != nil || d != time.Minute {
		t.Errorf("quiet's default is %v, %v", d, err)
	}
}
