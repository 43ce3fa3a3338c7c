package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/cost"
)

// noPrices is why a price is not known.
const noPrices = "the configuration has no prices for this destination; " +
	"the key prices sets them, and --config names the configuration for a URL"

// prices returns what the provider of a destination charges; nil if the configuration has no prices for it, or is not
// needed for an archive that is given by its URL.
func (a *app) prices(url string) *cost.Prices {
	if a.loaded == nil {
		return nil
	}
	return a.loaded.PricesOf(url)
}

// readEstimate is what an operation reads, and what that costs.
type readEstimate struct {
	Reads   []cost.Read     `json:"reads"`
	Missing int             `json:"missing"`
	Price   *cost.ReadPrice `json:"price"` // null if it is not known

	isUnclassed bool // the storage classes are unknown
}

// estimateReads returns what a plan costs to read.
func (a *app) estimateReads(from *openArchive, p *archive.ReadPlan) readEstimate {
	e := readEstimate{Reads: p.Reads, Missing: p.Missing, isUnclassed: p.ClassesUnknown}
	if !p.ClassesUnknown {
		e.Price = a.prices(from.url).PriceReads(p.Reads)
	}
	return e
}

// restoreEstimate is what a restore would take and cost.
type restoreEstimate struct {
	readEstimate
	Time *cost.Time    `json:"time"` // null if no rate is known
	Thaw *thawEstimate `json:"thaw"` // null if nothing must be thawed
	// ThawUnknown is why it is not known, or not exactly, what must be thawed.
	ThawUnknown string                `json:"thaw_unknown,omitempty"`
	Objects     *[]archive.ObjectRead `json:"objects,omitempty"`

	name string
}

// estimate returns what the restore of a dry run would take and cost.
func (a *app) estimate(ctx context.Context, from *openArchive, id string, res *archive.RestoreResult, thawDays int) *restoreEstimate {
	e := &restoreEstimate{
		readEstimate: a.estimateReads(from, &res.ReadPlan),
		Thaw:         a.estimateThaw(from.url, res.Thaw, thawDays),
		ThawUnknown:  res.ThawUnknown, name: from.name,
	}
	measured, err := from.Measurements(ctx, id, res.Bytes)
	if err != nil {
		a.log.Warn("how long earlier restores and drills took cannot be read", "archive", from.name, "error", err)
	}
	e.Time = cost.EstimateTime(measured, int64(res.Files), res.Bytes)
	return e
}

func (e *restoreEstimate) print(w io.Writer) error {
	if err := e.printReads(w, e.Objects); err != nil {
		return err
	}
	if e.Thaw != nil {
		if err := e.Thaw.print(w); err != nil {
			return err
		}
	}
	if e.ThawUnknown != "" {
		if _, err := fmt.Fprintf(w, "what must be thawed first is not known: %s\n", e.ThawUnknown); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%s\n%s\n", e.timeText(), e.priceText())
	return err
}

// printReads prints what is read, with each object unless they are nil.
func (e *readEstimate) printReads(w io.Writer, each *[]archive.ObjectRead) error {
	rows := [][]string{{"KIND", "CLASS", "OBJECTS", "BYTES", "REQUESTS"}}
	for i := range e.Reads {
		r := &e.Reads[i]
		rows = append(rows, []string{
			r.Kind, cost.ClassName(r.Class), strconv.FormatInt(r.Objects, 10), size(r.Bytes), strconv.FormatInt(r.Requests, 10),
		})
	}
	if err := table(w, rows); err != nil {
		return err
	}
	if each != nil {
		for _, o := range *each {
			fmt.Fprintf(w, "%s  %s  %s, %s\n", o.Key, size(o.Bytes), cost.ClassName(o.Class), plural(o.Requests, "request"))
		}
	}
	if e.Missing > 0 {
		_, err := fmt.Fprintf(w, "%s missing, and in none of these figures; strongroom verify names what is missing\n",
			plural(e.Missing, "object")+map[bool]string{true: " is", false: " are"}[e.Missing == 1])
		return err
	}
	return nil
}

func (e *restoreEstimate) timeText() string {
	if e.Time == nil {
		drill := "strongroom drill"
		if !isURL(e.name) { // the name of a URL lacks its parameters, so a command with it would not run
			drill += " " + e.name
		}
		return "how long it takes is not known yet: " + drill + " measures that, and so does each restore"
	}
	return "it " + e.Time.Describe(size)
}

func (e *readEstimate) priceText() string {
	switch {
	case e.isUnclassed:
		return "what it costs is not known: the storage classes of the objects cannot be read"
	case e.Price == nil:
		return "what it costs is not known: " + noPrices
	}
	return "it costs " + e.Price.String()
}

// saves returns what a month of what would be deleted costs, in words.
func (p *prunedArchive) saves() string {
	if p.Saves == nil {
		return "what this saves in a month is not known: " + noPrices
	}
	return "this saves " + p.Saves.String()
}
