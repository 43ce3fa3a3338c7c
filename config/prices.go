package config

import (
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"

	"github.com/strongroom-dev/strongroom/archive/cost"
)

// Prices are what the provider of some destinations charges. The keys of the file are those of cost.Prices, and for.
type Prices struct {
	For string `yaml:"for"` // the prices apply to destinations at or below this URL; "" to all
	cost.Prices
}

// PricesOf returns the prices of a destination: those of the first entry that applies to it. It returns nil if none
// does.
func (c *Config) PricesOf(url string) *cost.Prices {
	for i := range c.Prices {
		if isBelow(url, c.Prices[i].For) {
			return &c.Prices[i].Prices
		}
	}
	return nil
}

// isBelow reports whether a URL, without its parameters, is equal to another one or below it.
func isBelow(url, above string) bool {
	url, _, _ = strings.Cut(url, "?")
	rest, ok := strings.CutPrefix(url, above)
	return ok && (rest == "" || above == "" || rest[0] == '/' || strings.HasSuffix(above, "/"))
}

// prices returns the list prices.
func (s *section) prices() []Prices {
	e, ok := s.entries["prices"]
	if !ok {
		return nil
	}
	list, ok := e.value.(*ast.SequenceNode)
	if !ok {
		s.errors.add(e.at, "prices: %s; write a list, whose entries begin with \"- currency:\" or \"- for:\"", describe(e.value))
		return nil
	}
	if len(list.Values) == 0 {
		s.errors.add(e.at, "prices is an empty list; add an entry, or remove the key")
	}
	var all []Prices
	for _, n := range list.Values {
		one, ok := s.section(n, "in prices", append(keys[Prices](), keys[cost.Prices]()...))
		if !ok {
			continue
		}
		p := one.priceList()
		for i := range all {
			if isBelow(p.For, all[i].For) {
				one.errors.add(one.at, "these prices never apply: an earlier entry applies to all of their destinations; "+
					"move this entry before it")
				break
			}
		}
		all = append(all, p)
	}
	return all
}

// maxCurrency is the largest number of characters of a currency.
const maxCurrency = 20

// priceList returns one entry of the list prices.
func (s *section) priceList() Prices {
	p := Prices{For: s.pricedURL()}
	s.required("currency", "USD")
	if v, ok := s.text("currency"); ok {
		if utf8.RuneCountInString(v) > maxCurrency {
			s.errors.add(s.entries["currency"].at, "currency is longer than %d characters; write a short name, such as USD", maxCurrency)
		}
		p.Currency = v
	}
	p.Egress = s.price("egress")
	e, ok := s.entries["classes"]
	if _, has := s.entries["egress"]; !ok && !has {
		s.errors.add(s.at, "these prices are empty; add egress, classes, or both")
	}
	if !ok {
		return p
	}
	classes, ok := s.mapping(e.value, "classes", "STANDARD: {storage: 0.023, requests: 0.0004, retrieval: 0}")
	if !ok {
		return p
	}
	p.Classes = map[string]cost.Class{}
	seen := map[string]position{}
	for _, c := range classes {
		if first, twice := seen[strings.ToLower(c.name)]; twice {
			s.errors.add(c.key, "the class %s occurs twice, first in line %d; letter case does not count; remove one of them",
				quote(c.name), first.line)
			continue
		}
		seen[strings.ToLower(c.name)] = c.key
		name := c.name
		if strings.EqualFold(name, cost.DefaultClass) {
			name = cost.DefaultClass
		}
		in, ok := s.section(c.value, "in the prices of a class", keys[cost.Class]())
		if !ok {
			continue
		}
		if len(in.entries) == 0 {
			s.errors.add(c.key, "the class %s has no price; add storage, requests, retrieval or thaw, or remove it", quote(c.name))
		}
		p.Classes[name] = cost.Class{
			Storage: in.price("storage"), Requests: in.price("requests"), Retrieval: in.price("retrieval"), Thaw: in.thaws(),
		}
	}
	return p
}

// thaws returns the prices of a class by tier of a thaw; nil without any.
func (s *section) thaws() *cost.Thaws {
	e, ok := s.entries["thaw"]
	if !ok {
		return nil
	}
	in, ok := s.section(e.value, "in the prices of a thaw", keys[cost.Thaws]())
	if !ok {
		return nil
	}
	if len(in.entries) == 0 {
		s.errors.add(e.at, "thaw has no tier; add standard, bulk or expedited, or remove it")
	}
	return &cost.Thaws{Standard: in.thaw("standard"), Bulk: in.thaw("bulk"), Expedited: in.thaw("expedited")}
}

func (s *section) thaw(tier string) cost.Thaw {
	e, ok := s.entries[tier]
	if !ok {
		return cost.Thaw{}
	}
	in, ok := s.section(e.value, "in the prices of a tier", keys[cost.Thaw]())
	if !ok {
		return cost.Thaw{}
	}
	if len(in.entries) == 0 {
		s.errors.add(e.at, "the tier %s has no price; add requests or retrieval, or remove it", tier)
	}
	return cost.Thaw{Requests: in.price("requests"), Retrieval: in.price("retrieval")}
}

// pricedURL returns the key for; "" without one. Its errors do not show the URL: it may contain a password.
func (s *section) pricedURL() string {
	v, ok := s.text("for")
	if !ok {
		return ""
	}
	at := s.entries["for"].at
	scheme, rest, isURL := strings.Cut(v, "://")
	switch {
	case !isURL || scheme == "":
		s.errors.add(at, "for is not the beginning of a URL; write one such as s3:// or s3://backups/orders")
	case strings.ContainsAny(rest, "?#"):
		s.errors.add(at, "for has parameters in it; end it before the ? or #")
	case strings.Contains(rest, "@") && scheme != "file":
		s.errors.add(at, "for has credentials in it (before the @); remove them")
	}
	return v
}

// price returns a key's price; nil without one. A number keeps the digits of the file, so that no price is rounded.
func (s *section) price(key string) *cost.Amount {
	e, ok := s.entries[key]
	if !ok {
		return nil
	}
	text := ""
	switch n := e.value.(type) {
	case *ast.IntegerNode:
		text = n.Token.Value
	case *ast.FloatNode:
		text = n.Token.Value
	case *ast.StringNode:
		if text, ok = s.text(key); !ok {
			return nil
		}
	default:
		s.errors.add(e.at, "%s: %s; write a decimal number, such as 0.09", key, describe(e.value))
		return nil
	}
	v, err := cost.ParsePrice(text)
	if err != nil {
		s.errors.add(e.at, "%s cannot be %s: %v; for a price that you do not have, remove the key", key, quote(text), err)
		return nil
	}
	return &v
}

// named is an entry of a mapping whose keys are names that the user chooses.
type named struct {
	name  string
	key   position
	value ast.Node
}

// mapping returns the entries of a mapping whose keys are names.
func (s *section) mapping(n ast.Node, what, example string) ([]named, bool) {
	m, ok := n.(ast.MapNode)
	if !ok {
		s.errors.add(place(n.GetToken()), "%s: %s; write names with values, such as %s", what, describe(n), example)
		return nil, false
	}
	var all []named
	for it := m.MapRange(); it.Next(); {
		at := place(it.Key().GetToken())
		key, ok := it.Key().(*ast.StringNode)
		if !ok || strings.TrimSpace(key.Value) == "" || utf8.RuneCountInString(key.Value) > 64 {
			s.errors.add(at, "%s: a name is a text of 1 to 64 characters, such as %s", what, example)
			continue
		}
		all = append(all, named{key.Value, at, it.Value()})
	}
	if len(all) == 0 && len(m.(ast.Node).String()) <= 2 {
		s.errors.add(place(n.GetToken()), "%s is empty; add one, such as %s", what, example)
	}
	return all, true
}
