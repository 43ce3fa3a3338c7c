package archiver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

// A partialBase is a base snapshot whose pages a backup reads only as far as it needs them. The stamps of the source's
// files show that those in a page's range of names are as they were when the page was made. Such a page is intact: its
// entries would all be kept, and it is named again by its hash. What a backup requires of the entries of intact pages,
// their names, sizes and states, the capture has as well.
//
// A run that needs more than that ends with ErrNeedsWhole, and the backup starts over with all pages.
type partialBase struct {
	seen   *localstate.FileStamps // with one row for each entry, in the order of the pages
	m      *manifest.Manifest     // Files has the entries of the pages that were read
	rows   []int                  // by page: its first row; at the end, the number of rows
	blocks []int                  // by page: the first captured file of its range; at the end, the number of files
	isRead []bool                 // by page: it is not intact, or needed for another reason
	next   int                    // the row that isSame probably needs next
}

// mayReadLess reports whether a backup can do without the whole base, as far as its options show. A confirmed finding
// may depend on all entries, and so does the plan that a dry run reports. A lock is renewed for each object.
func (r *backupRun) mayReadLess() bool {
	if l, ok := r.repo.Store.(store.RetentionStore); ok {
		if _, locks := l.RenewLock(); locks {
			return false
		}
	}
	o := r.o
	return !o.whole && !o.DryRun && r.original == nil && o.Lost == nil && len(o.Accept)+len(o.Confirmed) == 0
}

// basePages chooses the pages of the base that a backup reads before it captures the source: none if stamps show which
// ones it needs then.
func (r *backupRun) basePages() repo.PageChoice {
	if !r.mayReadLess() {
		return repo.AllPages
	}
	return func(m *manifest.Manifest) []int {
		if seen, err := r.stamps.of(m.Archive); err == nil && seen.Snapshot.Sequence == m.Sequence {
			return nil
		}
		return repo.AllPages(m)
	}
}

// stampsOnce reads the stamps for one attempt of a backup. It does not wait twice for a disk that hangs.
type stampsOnce struct {
	repo *repo.Repo
	id   string
	seen *localstate.FileStamps // nil before the first call
	err  error
}

func (s *stampsOnce) of(id string) (*localstate.FileStamps, error) {
	if s.seen == nil && s.err == nil || s.id != id {
		s.id = id
		s.seen, s.err = loadStamps(s.repo, id)
	}
	return s.seen, s.err
}

// beginPartial prepares a run that reads only some pages of its base. Where the stamps are not those of the base, or
// the run needs all entries, it requires the whole base instead.
func (r *backupRun) beginPartial() error {
	seen := r.seen
	base := r.src.Head.Base
	if base == nil || base.Manifest.Pages == nil {
		return nil
	}
	m := *base.Manifest
	if !r.mayReadLess() || seen.Snapshot != base.Ref || int64(seen.Len()) != m.Counts.Files ||
		m.Counts.Damaged > 0 || !r.src.CanReuseBase || r.src.Head.Unread != nil || *r.src.Head.Parent != base.Ref ||
		r.src.KnownBad.Any() || r.renamed() {
		if !m.IsWhole() {
			return repo.ErrNeedsWhole
		}
		return nil
	}
	m.Files = nil
	r.partial = &partialBase{seen: seen, m: &m, isRead: make([]bool, len(m.Pages)), rows: make([]int, len(m.Pages)+1)}
	for i := range m.Pages {
		r.partial.rows[i+1] = r.partial.rows[i] + m.Pages[i].Count
	}
	r.src.Head.Base = &repo.Snapshot{Ref: base.Ref, Manifest: &m, Pages: repo.UnreadPages(&m)}
	return nil
}

// isSame reports whether the stamps show that a file is as the base has it.
func (p *partialBase) isSame(f *source.File, checksEntries bool) bool {
	row := p.find(f)
	return row != nil && row.IsOf(f) && !(checksEntries && row.Flags&localstate.StampUnchecked != 0)
}

// find returns the row of a file with this name; nil if there is none.
func (p *partialBase) find(f *source.File) *localstate.FileStamp {
	if p.next < p.seen.Len() {
		if row := p.seen.Row(p.next); row.Names(f) {
			p.next++
			return &row
		}
	}
	lo, hi := p.m.PagesBetween(f.Name, f.Name)
	for i := p.rows[lo]; i < p.rows[hi]; i++ {
		if row := p.seen.Row(i); row.Names(f) {
			p.next = i + 1
			return &row
		}
	}
	return nil
}

// isIntact reports whether a page's range of names has the files that it had, and no other.
func (p *partialBase) isIntact(page int, files []source.File, checksEntries bool) bool {
	begin := p.rows[page]
	if len(files) != p.rows[page+1]-begin {
		return false
	}
	for i := range files {
		row := p.seen.Row(begin + i)
		if !row.IsOf(&files[i]) || checksEntries && row.Flags&localstate.StampUnchecked != 0 {
			return false
		}
	}
	return true
}

// assign finds the captured files in the range of each page: from its first name up to that of the next page.
func (p *partialBase) assign(files []source.File) {
	p.blocks = make([]int, len(p.m.Pages)+1)
	for i := 1; i < len(p.m.Pages); i++ {
		k, _ := slices.BinarySearchFunc(files[p.blocks[i-1]:], p.m.Pages[i].First, func(f source.File, name string) int {
			return strings.Compare(f.Name, name)
		})
		p.blocks[i] = p.blocks[i-1] + k
	}
	p.blocks[len(p.m.Pages)] = len(files)
}

func (p *partialBase) block(page int, files []source.File) []source.File {
	return files[p.blocks[page]:p.blocks[page+1]]
}

// planPartial is MakePlan for a run with a partial base. Plan.Keep has the kept entries of the pages that were read. It
// sets r.partial to nil if all pages had to be read.
func (r *backupRun) planPartial(ctx context.Context, agrees func(*source.File, *manifest.File) bool) (plan values.Plan, err error) {
	p, files := r.partial, r.src.Capture.Files
	if err := scan.CheckCaptured(files); err != nil {
		return plan, err
	}
	p.assign(files)
	for i := range p.isRead {
		p.isRead[i] = !p.isIntact(i, p.block(i, files), r.src.Layout.ChecksEntries())
	}
	for {
		if err := r.readNeeded(ctx); err != nil {
			return plan, err
		}
		if !slices.Contains(p.isRead, false) {
			if err := p.m.CheckFiles(p.m.Files); err != nil {
				return plan, repo.ErrNeedsWhole
			}
			r.partial = nil
			return scan.MakePlan(files, p.m, agrees)
		}
		plan = values.Plan{}
		for i := range p.isRead {
			if p.isRead[i] {
				scan.Compare(&plan, p.block(i, files), r.src.Head.Base.Pages[i].Files, agrees)
			}
		}
		isMore := r.needEnds()
		if !r.needNeighbours(&plan) && !isMore {
			return plan, nil
		}
	}
}

// readNeeded reads the needed pages of the base that were not read yet.
func (r *backupRun) readNeeded(ctx context.Context) error {
	p, base := r.partial, r.src.Head.Base
	var chosen []int
	for i := range p.isRead {
		if p.isRead[i] && base.Pages[i].Files == nil {
			chosen = append(chosen, i)
		}
	}
	if len(chosen) == 0 {
		return nil
	}
	read, err := r.repo.ReadPages(ctx, p.m, chosen)
	switch {
	case errors.Is(err, values.ErrDamaged):
		r.repo.Log.Debug("a page that has changed cannot be read", "error", err)
		return repo.ErrNeedsWhole
	case err != nil:
		return fmt.Errorf("snapshot %d: %w", base.Ref.Sequence, err)
	}
	for k, i := range chosen {
		base.Pages[i] = read[k]
	}
	read = slices.DeleteFunc(slices.Clone(base.Pages), func(p manifest.Page) bool { return p.Files == nil })
	p.m.Files = repo.JoinPages(read)
	if err := p.m.CheckSome(p.m.Files); err != nil {
		r.repo.Log.Debug("the pages that have changed contradict each other", "error", err)
		return repo.ErrNeedsWhole
	}
	return nil
}

// addUnread adds the totals of the pages that were not read to those of a new snapshot.
func (p *partialBase) addUnread(c *manifest.Counts) {
	var read manifest.Counts
	for i := range p.m.Files {
		read.Add(&p.m.Files[i])
	}
	all := &p.m.Counts
	c.Files += all.Files - read.Files
	c.Bytes += all.Bytes - read.Bytes
	c.StoredBytes += all.StoredBytes - read.StoredBytes
}

// hasEncrypted reports whether a page that was not read has encrypted content.
func (p *partialBase) hasEncrypted() bool {
	for i, isRead := range p.isRead {
		for k := p.rows[i]; !isRead && k < p.rows[i+1]; k++ {
			if p.seen.Row(k).Flags&localstate.StampEncrypted != 0 {
				return true
			}
		}
	}
	return false
}

// addPage reads one more page, which has to be cut again, and adds its entries to the new snapshot's.
func (r *backupRun) addPage(ctx context.Context, m *manifest.Manifest, page int) error {
	r.partial.isRead[page] = true
	if err := r.readNeeded(ctx); err != nil {
		return err
	}
	files := r.src.Head.Base.Pages[page].Files
	at, _ := slices.BinarySearchFunc(m.Files, files[0].Name, func(f manifest.File, name string) int {
		return strings.Compare(f.Name, name)
	})
	m.Files = slices.Insert(m.Files, at, files...)
	return nil
}

// stamps returns the stamps of a snapshot with these entries beside those of the pages that were not read.
func (p *partialBase) stamps(of manifest.Ref, captured []source.File, files []manifest.File) *localstate.FileStamps {
	s := localstate.NewStamps(p.seen.Archive, of, len(captured))
	for i := range p.isRead {
		if !p.isRead[i] {
			s.AddRows(p.seen, p.rows[i], p.rows[i+1])
			continue
		}
		block := p.block(i, captured)
		for k := range block {
			s.Add(&block[k], scan.Entry(files, block[k].Name))
		}
	}
	return s
}
