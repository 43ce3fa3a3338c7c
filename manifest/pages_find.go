package manifest

import "sort"

// PagesBetween returns the range Pages[lo:hi] of the pages that can have a name from one to another,
// both included. No other page can, since the pages are in name order. Without such a page lo is hi.
func (m *Manifest) PagesBetween(from, through string) (lo, hi int) {
	lo = sort.Search(len(m.Pages), func(i int) bool { return m.Pages[i].Last >= from })
	hi = sort.Search(len(m.Pages), func(i int) bool { return m.Pages[i].First > through })
	return lo, max(lo, hi)
}

// IsWhole reports whether Files has every entry of the snapshot. If not, Files has the entries of
// those pages that were read.
func (m *Manifest) IsWhole() bool { return m.Pages == nil || int64(len(m.Files)) == m.Counts.Files }

// HasPage reports whether Files has the entries of page i. It takes time in proportion to the
// logarithm of the number of entries.
func (m *Manifest) HasPage(i int) bool {
	first := m.Pages[i].First
	at := sort.Search(len(m.Files), func(k int) bool { return m.Files[k].Name >= first })
	return at < len(m.Files) && m.Files[at].Name == first
}
