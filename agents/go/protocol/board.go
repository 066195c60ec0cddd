package protocol

import (
	"cmp"
	"container/list"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
)

const (
	// mostGone is how many groups that left are remembered. Whoever is further back is told all.
	mostGone = 4096
	// mostNotices is how many notices are kept for streams that are slow to take them.
	mostNotices = 256
)

// Board is the bulk state: one line a group, and in what order they moved. A revision is a place
// in that order, so what changed since costs as much as it is. Safe for use by many at once; no
// call waits for anybody.
type Board struct {
	mutex sync.Mutex
	// epoch tells the revisions of one board from those of another.
	epoch string
	moved uint64
	// floor is the oldest revision whose departures are still known.
	floor uint64
	// lines are in the order in which they moved; the newest is at the back.
	lines  *list.List
	byName map[string]*list.Element
	gone   int
	// named are the groups that are here, sorted by name; nil if they have to be sorted anew.
	named   []*line
	notices []Notice
	// told counts the notices there ever were.
	told    uint64
	changed chan struct{}
}

type line struct {
	summary GroupSummary
	moved   uint64
	gone    bool
}

// NewBoard is an empty board.
func NewBoard() *Board {
	return &Board{
		epoch: RandomName(), lines: list.New(), byName: map[string]*list.Element{},
		changed: make(chan struct{}),
	}
}

// RandomName is eight random bytes as text: an instance, an epoch.
func RandomName() string {
	var bytes [8]byte
	// Never fails on the platforms Go knows; zeroes would only make two names the same.
	_, _ = rand.Read(bytes[:])
	return hex.EncodeToString(bytes[:])
}

// GroupRevision is the same for two lines exactly when nothing but indexes differs.
func (s *GroupSummary) GroupRevision() string {
	leader, stopped, claims := "-", "", ""
	if s.Leader != nil {
		leader = *s.Leader
	}
	if s.Fault != nil {
		stopped = "!"
	}
	if s.ClaimsLeadership {
		claims = "*"
	}
	return fmt.Sprintf("%s.%d.%s.%s%s%s",
		s.State, s.Term, leader, s.MembershipRevision, claims, stopped)
}

func sameButIndexes(a, b *GroupSummary) bool {
	sameLeader := (a.Leader == nil) == (b.Leader == nil) &&
		(a.Leader == nil || *a.Leader == *b.Leader)
	return sameLeader && a.State == b.State && a.Term == b.Term &&
		a.MembershipRevision == b.MembershipRevision && a.Member == b.Member &&
		a.ClaimsLeadership == b.ClaimsLeadership && (a.Fault == nil) == (b.Fault == nil)
}

// Put tells where a group is now.
func (b *Board) Put(summary GroupSummary) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	element, known := b.byName[summary.Group]
	if !known {
		b.named = nil
		element = b.lines.PushBack(&line{})
		b.byName[summary.Group] = element
	} else if entry := entryOf(element); entry.gone {
		b.named = nil
		b.gone--
		entry.gone = false
	} else if sameButIndexes(&entry.summary, &summary) {
		entry.summary = summary
		return
	}
	entryOf(element).summary = summary
	b.move(element)
}

// Drop tells that a group is not here any more.
func (b *Board) Drop(group string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	element, known := b.byName[group]
	if !known || entryOf(element).gone {
		return
	}
	b.named = nil
	entry := entryOf(element)
	entry.gone, entry.summary = true, GroupSummary{Group: group}
	b.gone++
	b.move(element)
	if b.gone > mostGone {
		b.forgetOldestGone()
	}
}

// Tell passes a notice to whoever listens now.
func (b *Board) Tell(notice Notice) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if len(b.notices) == mostNotices {
		b.notices = slices.Delete(b.notices, 0, mostNotices/2)
	}
	b.notices = append(b.notices, notice)
	b.told++
	b.wake()
}

// Has is whether the group is on the board.
func (b *Board) Has(group string) bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	element, known := b.byName[group]
	return known && !entryOf(element).gone
}

// Since is everything, or what changed since a revision that is known.
func (b *Board) Since(revision string) Groups {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	answer := Groups{Revision: b.revision(b.moved), Groups: []GroupSummary{}, Gone: []string{}}
	since, known := b.place(revision)
	if !known {
		answer.Complete = true
		answer.Groups = b.all()
		return answer
	}
	for element := b.lines.Back(); element != nil; element = element.Prev() {
		entry := entryOf(element)
		if entry.moved <= since {
			break
		}
		if entry.gone {
			answer.Gone = append(answer.Gone, entry.summary.Group)
		} else {
			answer.Groups = append(answer.Groups, entry.summary)
		}
	}
	return answer
}

// after names up to `most` groups that moved after a place, oldest first, and where that ends.
func (b *Board) after(since uint64, most int) (groups []string, next uint64, wait <-chan struct{}) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	first := b.lines.Back()
	for first != nil && first.Prev() != nil && entryOf(first.Prev()).moved > since {
		first = first.Prev()
	}
	next = b.moved
	for element := first; element != nil; element = element.Next() {
		entry := entryOf(element)
		if entry.moved <= since || entry.gone {
			continue
		}
		if len(groups) == most {
			return groups, next, b.changed
		}
		groups, next = append(groups, entry.summary.Group), entry.moved
	}
	return groups, b.moved, b.changed
}

func (b *Board) newest() uint64 {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.moved
}

// noticesAfter are those after the given count, as far as they are kept.
func (b *Board) noticesAfter(told uint64) ([]Notice, uint64) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	missing := min(b.told-told, uint64(len(b.notices)))
	return slices.Clone(b.notices[uint64(len(b.notices))-missing:]), b.told
}

func (b *Board) all() []GroupSummary {
	if b.named == nil {
		b.named = make([]*line, 0, len(b.byName))
		for _, element := range b.byName {
			if entry := entryOf(element); !entry.gone {
				b.named = append(b.named, entry)
			}
		}
		slices.SortFunc(b.named, func(x, y *line) int { return cmp.Compare(x.summary.Group, y.summary.Group) })
	}
	// Lines that end alike stand together: thousands compress to a twentieth less so.
	alike := slices.Clone(b.named)
	slices.SortStableFunc(alike, func(x, y *line) int {
		return cmp.Or(cmp.Compare(x.summary.Term, y.summary.Term), cmp.Compare(nameOf(x.summary.Leader), nameOf(y.summary.Leader)))
	})
	groups := make([]GroupSummary, len(alike))
	for n, entry := range alike {
		groups[n] = entry.summary
	}
	return groups
}

func nameOf(leader *string) string {
	if leader == nil {
		return ""
	}
	return *leader
}

func (b *Board) move(element *list.Element) {
	b.moved++
	entryOf(element).moved = b.moved
	b.lines.MoveToBack(element)
	b.wake()
}

func (b *Board) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *Board) forgetOldestGone() {
	for element := b.lines.Front(); element != nil; element = element.Next() {
		if entry := entryOf(element); entry.gone {
			b.floor = entry.moved
			b.gone--
			delete(b.byName, entry.summary.Group)
			b.lines.Remove(element)
			return
		}
	}
}

func (b *Board) revision(moved uint64) string { return fmt.Sprintf("%s-%d", b.epoch, moved) }

func (b *Board) place(revision string) (uint64, bool) {
	epoch, count, found := strings.Cut(revision, "-")
	var since uint64
	if !found || epoch != b.epoch {
		return 0, false
	}
	if _, err := fmt.Sscanf(count, "%d", &since); err != nil {
		return 0, false
	}
	return since, since >= b.floor && since <= b.moved
}

func entryOf(element *list.Element) *line {
	entry, ok := element.Value.(*line)
	if !ok {
		return &line{}
	}
	return entry
}
