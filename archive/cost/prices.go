package cost

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// DefaultClass is the name in Prices.Classes of the prices for all classes that have none, and for objects without a
// class.
const DefaultClass = "default"

// Prices are what a provider charges. A price that is nil is unknown.
type Prices struct {
	Currency string           `yaml:"currency"` // free text, for display
	Egress   *Amount          `yaml:"egress"`   // per GiB that is sent from the provider
	Classes  map[string]Class `yaml:"classes"`  // by storage class, in any letter case; see DefaultClass
}

// Class is what a provider charges for the objects of a storage class. A price that is nil is unknown: it does not fall
// back to the default class, whose prices belong together.
type Class struct {
	Storage   *Amount `yaml:"storage"`   // per GiB and month
	Requests  *Amount `yaml:"requests"`  // per 1,000 requests that read
	Retrieval *Amount `yaml:"retrieval"` // per GiB that is read, in addition to egress
	Thaw      *Thaws  `yaml:"thaw"`      // for objects that must be thawed, in addition to what reading costs
}

const requestsPer = 1000

// of returns the prices of a class. All are unknown if neither the class nor the default class has any.
func (p *Prices) of(class string) Class {
	for name, c := range p.Classes {
		if class != "" && strings.EqualFold(name, class) {
			return c
		}
	}
	return p.Classes[DefaultClass]
}

// ClassName returns the name of a storage class for people.
func ClassName(class string) string {
	if class == "" {
		return "no class"
	}
	return class
}

// Read is stored content of one kind and storage class that an operation reads.
type Read struct {
	Kind     string `json:"kind"`     // data, for objects with one file's content, or bundle
	Class    string `json:"class"`    // empty if the provider reports none
	Frozen   bool   `json:"frozen"`   // the objects must be thawed first
	Objects  int64  `json:"objects"`  // that are read, each counted once
	Bytes    int64  `json:"bytes"`    // as they are transferred: compressed, encrypted, with gaps in bundles
	Requests int64  `json:"requests"` // that read content
}

// Stored is stored content of one storage class.
type Stored struct {
	Class   string `json:"class"` // empty if the provider reports none
	Objects int64  `json:"objects"`
	Bytes   int64  `json:"bytes"`
}

// AddStored adds an object to a list by class, which stays in order.
func AddStored(all []Stored, class string, bytes int64) []Stored {
	i, found := slices.BinarySearchFunc(all, class, func(s Stored, class string) int { return strings.Compare(s.Class, class) })
	if !found {
		all = slices.Insert(all, i, Stored{Class: class})
	}
	all[i].Objects++
	all[i].Bytes = Sum(all[i].Bytes, max(0, bytes))
	return all
}

// ReadPrice is what reading costs.
type ReadPrice struct {
	Currency  string   `json:"currency"`
	Total     Amount   `json:"total"` // of all parts whose price is known
	Egress    Amount   `json:"egress"`
	Requests  Amount   `json:"requests"`
	Retrieval Amount   `json:"retrieval"`
	Unknown   []string `json:"unknown"` // what has no price, and is not in Total
}

// PriceReads returns what it costs to read content; nil without prices.
func (p *Prices) PriceReads(reads []Read) *ReadPrice {
	if p == nil {
		return nil
	}
	out := &ReadPrice{Currency: p.Currency}
	b := bill{unknown: []string{}}
	for i := range reads {
		r, c := &reads[i], p.of(reads[i].Class)
		of := " of " + inClass(r.Class)
		b.add(&out.Egress, p.Egress, r.Bytes, GiB, "egress")
		b.add(&out.Requests, c.Requests, r.Requests, requestsPer, "requests"+of)
		b.add(&out.Retrieval, c.Retrieval, r.Bytes, GiB, "retrieval"+of)
	}
	out.Total, out.Unknown = out.Egress.Plus(out.Requests).Plus(out.Retrieval), b.unknown
	return out
}

// MonthPrice is what a month of storage costs.
type MonthPrice struct {
	Currency string   `json:"currency"`
	PerMonth Amount   `json:"per_month"` // of all classes whose price is known
	Unknown  []string `json:"unknown"`   // what has no price, and is not in PerMonth
}

// PriceMonth returns what a month of storage costs; nil without prices.
func (p *Prices) PriceMonth(stored []Stored) *MonthPrice {
	if p == nil {
		return nil
	}
	out := &MonthPrice{Currency: p.Currency}
	b := bill{unknown: []string{}}
	for _, s := range stored {
		b.add(&out.PerMonth, p.of(s.Class).Storage, s.Bytes, GiB, "storage of "+inClass(s.Class))
	}
	out.Unknown = b.unknown
	return out
}

// Scaled returns the price if to bytes of the same classes were stored in place of from; nil for nil, if from is not
// positive, and if one of them is Unbounded.
func (m *MonthPrice) Scaled(from, to int64) *MonthPrice {
	if m == nil || from <= 0 || from == Unbounded || to == Unbounded {
		return nil
	}
	return &MonthPrice{m.Currency, Amount{new(big.Rat).Mul(m.PerMonth.rat(), big.NewRat(to, from))}, m.Unknown}
}

func inClass(class string) string {
	if class == "" {
		return "objects without a class"
	}
	return "the class " + class
}

// bill collects what has no price, or no known size.
type bill struct{ unknown []string }

func (b *bill) add(sum, price *Amount, n, per int64, what string) {
	switch {
	case n == 0:
	case price != nil && n != Unbounded:
		*sum = sum.Plus(price.Times(n, per))
	case !slices.Contains(b.unknown, what):
		b.unknown = append(b.unknown, what)
	}
}

// String returns the price as a part of a sentence.
func (r *ReadPrice) String() string {
	text := priced(r.Total, r.Currency, r.Unknown)
	var parts []string
	for _, p := range []struct {
		what   string
		amount Amount
	}{{"egress", r.Egress}, {"requests", r.Requests}, {"retrieval", r.Retrieval}} {
		if !p.amount.IsZero() {
			parts = append(parts, p.what+" "+p.amount.String())
		}
	}
	if len(parts) > 1 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	return text + unknownText(r.Unknown)
}

// String returns the price as a part of a sentence.
func (m *MonthPrice) String() string {
	text := priced(m.PerMonth, m.Currency, m.Unknown)
	if !m.isUnknown() {
		text += " per month"
	}
	return text + unknownText(m.Unknown)
}

func (m *MonthPrice) isUnknown() bool { return m.PerMonth.IsZero() && len(m.Unknown) > 0 }

func priced(sum Amount, currency string, unknown []string) string {
	switch {
	case len(unknown) == 0:
		return sum.about(currency)
	case sum.IsZero():
		return "an unknown amount of " + currency
	}
	return strings.TrimPrefix(sum.about(currency), "about ") + " and more"
}

func unknownText(unknown []string) string {
	if len(unknown) == 0 {
		return ""
	}
	return fmt.Sprintf("; the configuration has no price for: %s", strings.Join(unknown, ", "))
}
