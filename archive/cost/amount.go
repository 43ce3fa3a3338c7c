// Package cost estimates what operations cost before they begin: the money, from a table of prices, and the time, from
// what earlier restores took. It also forecasts how an archive grows. It has no prices of its own, no I/O and no clock.
//
// Amounts are exact. What has no price, and what was never measured, is reported as unknown and never counts as zero
// silently.
package cost

import (
	"errors"
	"math"
	"math/big"
	"regexp"
	"strings"
)

// GiB is the unit of prices for bytes.
const GiB = 1 << 30

// Unbounded is what a number of bytes is that does not fit: forged or damaged records may have any. It means this many
// or more, so nothing that is computed from it is known.
const Unbounded = math.MaxInt64

// Sum returns the sum of numbers that are not negative; Unbounded if one is, or if the sum does not fit.
func Sum(all ...int64) (sum int64) {
	for _, n := range all {
		if n > Unbounded-sum {
			return Unbounded
		}
		sum += n
	}
	return sum
}

// Amount is an exact amount of money, in the currency of the prices from which it was computed. The zero value is zero.
type Amount struct{ value *big.Rat } // nil is zero; the value is never changed

var (
	validPrice = regexp.MustCompile(`^(0|[1-9][0-9]{0,8})(\.[0-9]{1,12})?$`)
	errPrice   = errors.New("a price is a decimal number of zero or more, such as 0.09, " +
		"with at most nine digits before the point and twelve after it")
)

// ParsePrice parses a price in decimal digits, such as 0.0004.
func ParsePrice(text string) (Amount, error) {
	if !validPrice.MatchString(text) {
		return Amount{}, errPrice
	}
	v, ok := new(big.Rat).SetString(text)
	if !ok {
		return Amount{}, errPrice
	}
	return Amount{v}, nil
}

func (a Amount) rat() *big.Rat {
	if a.value == nil {
		return new(big.Rat)
	}
	return a.value
}

// Plus returns the sum of two amounts.
func (a Amount) Plus(b Amount) Amount { return Amount{new(big.Rat).Add(a.rat(), b.rat())} }

// Times returns what n pieces cost if per of them cost a. per is positive.
func (a Amount) Times(n, per int64) Amount {
	return Amount{new(big.Rat).Mul(a.rat(), big.NewRat(n, per))}
}

// IsZero reports whether the amount is exactly zero.
func (a Amount) IsZero() bool { return a.rat().Sign() == 0 }

const (
	textDigits = 6  // after the point, in a text for people
	jsonDigits = 12 // after the point, in JSON
	mostDigits = 48 // after the point, in JSON, of amounts that fewer digits would round to zero
)

// smallest is the smallest amount that a text for people shows.
var smallest = big.NewRat(1, 1_000_000)

// String returns the amount for people: with two decimals from 1 on, and with two digits other than leading zeros below,
// so that a small amount is never shown as 0.00.
func (a Amount) String() string {
	v := a.rat()
	switch {
	case v.Sign() == 0:
		return "0"
	case v.Cmp(smallest) < 0:
		return "less than " + smallest.FloatString(textDigits)
	}
	digits, scaled := 2, new(big.Rat).Mul(v, big.NewRat(100, 1))
	for ; digits < textDigits && scaled.Cmp(big.NewRat(10, 1)) < 0; digits++ {
		scaled.Mul(scaled, big.NewRat(10, 1))
	}
	text := v.FloatString(digits)
	for ; digits > 2 && strings.HasSuffix(text, "0"); digits-- {
		text = strings.TrimSuffix(text, "0")
	}
	return text
}

// MarshalText implements encoding.TextMarshaler: decimal digits without an exponent. Amounts are rounded to twelve
// decimals, but never to zero.
func (a Amount) MarshalText() ([]byte, error) {
	v := a.rat()
	text := v.FloatString(jsonDigits)
	if v.Sign() != 0 && strings.Trim(text, "0.") == "" {
		text = v.FloatString(mostDigits)
	}
	return []byte(strings.TrimSuffix(strings.TrimRight(text, "0"), ".")), nil
}

// UnmarshalText implements encoding.TextUnmarshaler, for what MarshalText returned.
func (a *Amount) UnmarshalText(text []byte) error {
	v, ok := new(big.Rat).SetString(string(text))
	if !ok || len(text) > 100 || strings.ContainsAny(string(text), "eEpP/_") {
		return errors.New("an amount is no decimal number")
	}
	a.value = v
	return nil
}

// about returns an amount with its currency, as a part of a sentence.
func (a Amount) about(currency string) string {
	text := a.String() + " " + currency
	if a.IsZero() || strings.HasPrefix(text, "less") {
		return text
	}
	return "about " + text
}
