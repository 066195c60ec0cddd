package protocol

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// encoded is a value as JSON. The bulk state, which may have ten thousand lines, is written without reflection, to
// the same bytes.
func encoded(value any) ([]byte, error) {
	if groups, is := value.(Groups); is {
		return groups.appended(make([]byte, 0, 64+256*len(groups.Groups))), nil
	}
	return json.Marshal(value)
}

func (g *Groups) appended(to []byte) []byte {
	to = text(append(to, `{"revision":`...), g.Revision)
	to = strconv.AppendBool(append(to, `,"complete":`...), g.Complete)
	to = listed(append(to, `,"groups":`...), g.Groups, func(to []byte, line *GroupSummary) []byte { return line.appended(to) })
	to = listed(append(to, `,"gone":`...), g.Gone, func(to []byte, name *string) []byte { return text(to, *name) })
	return append(to, '}')
}

func (s *GroupSummary) appended(to []byte) []byte {
	to = text(append(to, `{"member":`...), s.Member)
	to = text(append(to, `,"membership_revision":`...), s.MembershipRevision)
	to = strconv.AppendInt(append(to, `,"voters":`...), int64(s.Voters), 10)
	to = strconv.AppendInt(append(to, `,"learners":`...), int64(s.Learners), 10)
	to = perhapsText(append(to, `,"fault":`...), s.Fault)
	to = text(append(to, `,"group":`...), s.Group)
	to = perhapsNumber(append(to, `,"last_index":`...), s.LastIndex)
	to = perhapsNumber(append(to, `,"commit_index":`...), s.CommitIndex)
	to = strconv.AppendUint(append(to, `,"term":`...), s.Term, 10)
	to = text(append(to, `,"state":`...), string(s.State))
	to = perhapsText(append(to, `,"leader":`...), s.Leader)
	to = strconv.AppendBool(append(to, `,"claims_leadership":`...), s.ClaimsLeadership)
	return append(to, '}')
}

func listed[T any](to []byte, items []T, one func([]byte, *T) []byte) []byte {
	to = append(to, '[')
	for n := range items {
		if n > 0 {
			to = append(to, ',')
		}
		to = one(to, &items[n])
	}
	return append(to, ']')
}

func perhapsNumber(to []byte, number *uint64) []byte {
	if number == nil {
		return append(to, "null"...)
	}
	return strconv.AppendUint(to, *number, 10)
}

func perhapsText(to []byte, value *string) []byte {
	if value == nil {
		return append(to, "null"...)
	}
	return text(to, *value)
}

// text leaves all that has to be escaped to the library.
func text(to []byte, value string) []byte {
	for n := range len(value) {
		if char := value[n]; char < ' ' || char >= utf8.RuneSelf || char == '"' || char == '\\' || char == '<' || char == '>' || char == '&' {
			// Of a string this never fails.
			escaped, _ := json.Marshal(value)
			return append(to, escaped...)
		}
	}
	to = append(to, '"')
	to = append(to, value...)
	return append(to, '"')
}
