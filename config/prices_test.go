package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive/cost"
)

// priced is a right configuration with prices.
func priced(prices string) string { return minimal("", "") + "prices:\n" + prices }

// Each destination has the prices of its provider: several destinations of one archive are mostly at different ones.
// The first entry that applies counts, and a bucket's name is not the beginning of another one's.
func TestPricesOfADestination(t *testing.T) {
	t.Parallel()
	c := mustParse(t, priced(`  - {for: "s3://backups/cold", currency: A, egress: 1}
  - {for: "s3://backups", currency: B, egress: 1}
  - {for: "gs://", currency: C, egress: 1}
  - {currency: D, egress: 1}
`))
	for url, want := range map[string]string{
		"s3://backups/cold": "A", "s3://backups/cold/x?region=eu": "A", "s3://backups/colder": "B", "s3://backups?region=eu": "B",
		"s3://backups2/cold": "D", "gs://any/x": "C", "file:///x": "D",
	} {
		if got := c.PricesOf(url).Currency; got != want {
			t.Errorf("%s has the prices %s, not %s", url, got, want)
		}
	}
	if p := mustParse(t, priced("  - {for: \"s3://\", currency: A, egress: 1}\n")).PricesOf("file:///x"); p != nil {
		t.Errorf("a destination without prices has %+v", p)
	}
	if p := mustParse(t, minimal("", "")).PricesOf("s3://b"); p != nil {
		t.Errorf("prices are built in: %+v", p)
	}
}

// Prices keep every digit of the file, as a number, as a text and from a variable; what is absent is unknown.
func TestPricesAreExact(t *testing.T) {
	t.Parallel()
	p := mustParse(t, priced(`  - currency: "$"
    egress: 0.0900000001
    classes:
      STANDARD: {storage: "0.023", requests: 0, retrieval: '${N}.5'}
      Default: {requests: 12}
`)).PricesOf("s3://b")
	standard, other := p.Classes["STANDARD"], p.Classes[cost.DefaultClass]
	for what, got := range map[string]struct {
		price *cost.Amount
		want  string
	}{
		"egress": {p.Egress, "0.0900000001"}, "storage": {standard.Storage, "0.023"}, "requests": {standard.Requests, "0"},
		"retrieval": {standard.Retrieval, "12.5"}, "default": {other.Requests, "12"},
	} {
		if b, err := got.price.MarshalText(); err != nil || string(b) != got.want {
			t.Errorf("%s is %s, not %s (%v)", what, b, got.want, err)
		}
	}
	if other.Storage != nil || other.Retrieval != nil || p.Currency != "$" {
		t.Errorf("%+v", p)
	}
}

// A price that is taken for another one leads to a wrong decision, so each mistake is named at its place.
func TestWrongPrices(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ prices, at, message string }{
		{"  {currency: USD}", "7:3", "prices: this is a mapping; write a list"},
		{"  []", "7:3", "prices is an empty list"},
		{"  - {egress: 1}", "7:6", "currency is missing"},
		{"  - {currency: USD}", "7:6", "these prices are empty"},
		{"  - {currency: USD, egres: 1, classes: {default: {storage: 1}}}", "7:21", "the nearest valid key is egress"},
		{"  - {currency: '', egress: 1}", "7:16", "currency is empty"},
		{"  - {currency: 12, egress: 1}", "7:16", "put it in quotes"},
		{"  - {currency: " + strings.Repeat("x", 21) + ", egress: 1}", "7:16", "longer than 20 characters"},
		{"  - {currency: USD, egress: -1}", "7:29", `egress cannot be "-1": a price is a decimal number`},
		{"  - {currency: USD, egress: 1e3}", "7:29", "a price is a decimal number"},
		{"  - {currency: USD, egress: 0x10}", "7:29", "a price is a decimal number"},
		{"  - {currency: USD, egress: .5}", "7:29", "such as 0.09"},
		{"  - {currency: USD, egress: '0,09'}", "7:29", "such as 0.09"},
		{"  - {currency: USD, egress: free}", "7:29", "a price is a decimal number"},
		{"  - {currency: USD, egress: }", "7:28", "egress: there is no value; write a decimal number"},
		{"  - {currency: USD, classes: [STANDARD]}", "7:30", "classes: this is a list; write names with values"},
		{"  - {currency: USD, classes: {}}", "7:30", "classes is empty"},
		{"  - {currency: USD, classes: {STANDARD: 0.023}}", "7:41", "this is a number; write keys with values: storage, requests, retrieval"},
		{"  - {currency: USD, classes: {STANDARD: {}}}", "7:31", `the class "STANDARD" has no price`},
		{"  - {currency: USD, classes: {STANDARD: {reqests: 1, storage: 1}}}", "7:42", "the nearest valid key is requests"},
		{"  - {currency: USD, classes: {hot: {storage: 1}, Hot: {storage: 2}}}", "7:50", `the class "Hot" occurs twice, first in line 7`},
		{"  - {for: backups, currency: USD, egress: 1}", "7:11", "for is not the beginning of a URL"},
		{"  - {for: 's3://b?region=x', currency: USD, egress: 1}", "7:11", "for has parameters"},
		{"  - {for: 's3://k:secret@b', currency: USD, egress: 1}", "7:11", "for has credentials"},
		{"  - {for: 's3://', currency: USD, egress: 1}\n  - {for: 's3://b', currency: USD, egress: 1}", "8:6", "these prices never apply"},
		{"  - {currency: USD, egress: 1}\n  - {currency: EUR, egress: 1}", "8:6", "these prices never apply"},
	} {
		p := problems(t, priced(test.prices+"\n"))
		if at := fmt.Sprintf("%d:%d", p[0].Line, p[0].Column); len(p) != 1 || at != test.at || !strings.Contains(p[0].Message, test.message) {
			t.Errorf("%s\ngot %+v\nnot %s at %s", test.prices, p, test.message, test.at)
		}
		if strings.Contains(fmt.Sprint(p), "secret") {
			t.Errorf("%+v", p)
		}
	}
}
