package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/store"
)

// thawFlags are the flags of the commands that thaw what they read.
type thawFlags struct {
	tier string
	days int
}

func (t *thawFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&t.tier, "thaw", "", "request the thaw of frozen objects with this `TIER`, standard (default), bulk or "+
		"expedited, and wait until they can be read")
	f.Lookup("thaw").NoOptDefVal = string(store.ThawStandard)
	f.IntVar(&t.days, "thaw-days", 0, "with --thaw: keep temporary copies for this many `DAYS` "+
		"(default: until two days after the longest thaw of the tier, at least 3)")
}

// options returns the options of a thaw; nil without --thaw.
func (t *thawFlags) options(c *cobra.Command) (*archive.ThawOptions, error) {
	f := c.Flags()
	tier := store.ThawTier(t.tier)
	switch {
	case f.Changed("thaw") && !slices.Contains(store.ThawTiers(), tier):
		return nil, usage("--thaw=%s is no tier; write one of --thaw=standard, --thaw=bulk and --thaw=expedited", t.tier)
	case f.Changed("thaw-days") && (t.days < 1 || t.days > archive.MaxThawDays):
		return nil, usage("--thaw-days %d: write a number of days from 1 to %d", t.days, archive.MaxThawDays)
	case f.Changed("thaw"):
		return &archive.ThawOptions{Tier: tier, Days: t.days}, nil
	case f.Changed("thaw-days") && !(f.Lookup("dry-run") != nil && f.Changed("dry-run")):
		return nil, usage("--thaw-days needs --thaw")
	}
	return nil, nil
}

// thawEstimate is what must be thawed before a restore, how long that takes, and what it costs.
type thawEstimate struct {
	Objects   int64         `json:"objects"`
	Bytes     int64         `json:"bytes"`
	Thawing   int64         `json:"thawing"`
	Days      int           `json:"days"`
	ToRequest []cost.Frozen `json:"to_request"`
	Tiers     []thawTier    `json:"tiers"`
}

type thawTier struct {
	Tier   store.ThawTier  `json:"tier"`
	MostMS int64           `json:"most_ms"` // 0 if unknown
	Days   int             `json:"days"`    // for which temporary copies stay; 0 if there are none
	Price  *cost.ThawPrice `json:"price"`   // null without prices

	time string
}

// estimateThaw returns the estimate of a plan; nil for nil. Days of 0 are the default of each tier.
func (a *app) estimateThaw(url string, p *archive.ThawPlan, days int) *thawEstimate {
	if p == nil {
		return nil
	}
	e := &thawEstimate{p.Objects, p.Bytes, p.Thawing, 0, append([]cost.Frozen{}, p.ToRequest...), []thawTier{}}
	prices := a.prices(url)
	for i := range p.Tiers {
		t := &p.Tiers[i]
		stay := t.Days
		if days > 0 && stay > 0 {
			stay = days
		}
		price := prices.PriceThaw(p.ToRequest, string(t.Tier), stay)
		e.Tiers = append(e.Tiers, thawTier{t.Tier, t.Longest.Milliseconds(), stay, price, t.Describe()})
		e.Days = max(e.Days, stay)
	}
	return e
}

func (t *thawTier) priceText() string {
	if t.Price == nil {
		return "not known: " + noPrices
	}
	return t.Price.String()
}

func (e *thawEstimate) print(w io.Writer) error {
	text := plural(e.Objects, "object") + ", " + size(e.Bytes) + ", must be thawed first"
	if e.Thawing > 0 {
		text += fmt.Sprintf("; the thaw of %d is under way", e.Thawing)
	}
	if _, err := fmt.Fprintln(w, text); err != nil || len(e.ToRequest) == 0 {
		return err
	}
	rows := [][]string{{"TIER", "TIME", "PRICE OF THE THAW"}}
	for i := range e.Tiers {
		t := &e.Tiers[i]
		rows = append(rows, []string{string(t.Tier), t.time, t.priceText()})
	}
	if err := table(w, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "a restore with --thaw=TIER requests that, waits, and goes on; %s\n", e.afterText())
	return err
}

// afterText states what comes of the objects after a thaw.
func (e *thawEstimate) afterText() string {
	var moving []string
	for i := range e.ToRequest {
		if f := &e.ToRequest[i]; f.CopyClass == "" {
			moving = append(moving, f.Class)
		}
	}
	const moves = "move to a class that can be read, at its price, and stay there"
	if len(moving) == len(e.ToRequest) {
		return "the objects " + moves
	}
	text := ""
	if len(moving) > 0 {
		text = "objects of " + strings.Join(moving, " and ") + " " + moves + "; "
	}
	text += "temporary copies stay for "
	var each []string
	for i := range e.Tiers {
		t := &e.Tiers[i]
		each = append(each, fmt.Sprintf("%s (%s)", plural(int64(t.Days), "day"), t.Tier))
	}
	if isSame := !slices.ContainsFunc(e.Tiers, func(t thawTier) bool { return t.Days != e.Days }); isSame {
		return text + plural(int64(e.Days), "day")
	}
	return text + strings.Join(each, ", ")
}

// priceFrozen adds what a thaw costs to the error of a command that must thaw first.
func (a *app) priceFrozen(url string, err error, days int) error {
	frozen, ok := errors.AsType[*archive.FrozenError](err)
	if !ok || len(frozen.Plan.ToRequest) == 0 {
		return err
	}
	e := a.estimateThaw(url, &frozen.Plan, days)
	var prices []string
	for i := range e.Tiers {
		if t := &e.Tiers[i]; t.Price != nil {
			prices = append(prices, fmt.Sprintf("%s costs %s", t.Tier, t.priceText()))
		}
	}
	if len(prices) == 0 {
		return fmt.Errorf("%w; what it costs is not known: %s", err, noPrices)
	}
	return fmt.Errorf("%w; %s", err, strings.Join(prices, "; "))
}
