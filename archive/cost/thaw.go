package cost

import "strings"

// Thaw is what a provider charges for thawing objects of a storage class with one tier. A price that is nil is unknown.
type Thaw struct {
	Requests  *Amount `yaml:"requests"`  // per 1,000 objects that are thawed
	Retrieval *Amount `yaml:"retrieval"` // per GiB that is thawed
}

// Thaws are the prices of a storage class by tier.
type Thaws struct {
	Standard  Thaw `yaml:"standard"`
	Bulk      Thaw `yaml:"bulk"`
	Expedited Thaw `yaml:"expedited"`
}

// of returns the prices of a tier. All are unknown for a tier of another name.
func (t *Thaws) of(tier string) Thaw {
	switch {
	case t == nil:
	case tier == "standard":
		return t.Standard
	case tier == "bulk":
		return t.Bulk
	case tier == "expedited":
		return t.Expedited
	}
	return Thaw{}
}

// Frozen is stored content of one storage class that must be thawed.
type Frozen struct {
	Class     string `json:"class"`
	CopyClass string `json:"copy_class"` // the class in which a temporary copy is billed; empty if there is none
	Objects   int64  `json:"objects"`
	Bytes     int64  `json:"bytes"` // of whole objects
}

// ThawPrice is what a thaw costs, before anything is read.
type ThawPrice struct {
	Currency  string   `json:"currency"`
	Total     Amount   `json:"total"` // of all parts whose price is known
	Requests  Amount   `json:"requests"`
	Retrieval Amount   `json:"retrieval"`
	Copies    Amount   `json:"copies"`  // the storage of temporary copies
	Unknown   []string `json:"unknown"` // what has no price, and is not in Total
}

// daysPerMonth is the length of a month for prices of storage.
const daysPerMonth = 30

// PriceThaw returns what it costs to thaw content with a tier, and to keep temporary copies for some days; nil without
// prices.
func (p *Prices) PriceThaw(frozen []Frozen, tier string, days int) *ThawPrice {
	if p == nil {
		return nil
	}
	out := &ThawPrice{Currency: p.Currency}
	b := bill{unknown: []string{}}
	for _, f := range frozen {
		c := p.of(f.Class).Thaw.of(tier)
		of := " of " + inClass(f.Class) + " (" + tier + ")"
		b.add(&out.Requests, c.Requests, f.Objects, requestsPer, "thaw requests"+of)
		b.add(&out.Retrieval, c.Retrieval, f.Bytes, GiB, "thaws"+of)
		if f.CopyClass == "" {
			continue
		}
		var perDays *Amount
		if month := p.of(f.CopyClass).Storage; month != nil {
			perDays = new(month.Times(int64(days), daysPerMonth))
		}
		b.add(&out.Copies, perDays, f.Bytes, GiB, "storage of "+inClass(f.CopyClass))
	}
	out.Total, out.Unknown = out.Requests.Plus(out.Retrieval).Plus(out.Copies), b.unknown
	return out
}

// String returns the price as a part of a sentence.
func (r *ThawPrice) String() string {
	text := priced(r.Total, r.Currency, r.Unknown)
	var parts []string
	for _, p := range []struct {
		what   string
		amount Amount
	}{{"requests", r.Requests}, {"retrieval", r.Retrieval}, {"temporary copies", r.Copies}} {
		if !p.amount.IsZero() {
			parts = append(parts, p.what+" "+p.amount.String())
		}
	}
	if len(parts) > 1 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	return text + unknownText(r.Unknown)
}
