package swf

import "sort"

// idSet holds the ids of accepted jobs. Nearly all logs number their jobs
// upwards with few gaps, so runs of consecutive ids hold millions of them in a
// few bytes; ids that come out of order go to a map.
type idSet struct {
	runs   []idRun // rising, not touching
	others map[int64]struct{}
}

type idRun struct{ first, last int64 }

func (s *idSet) contains(id int64) bool {
	i := sort.Search(len(s.runs), func(i int) bool { return s.runs[i].last >= id })
	if i < len(s.runs) && s.runs[i].first <= id {
		return true
	}
	_, ok := s.others[id]
	return ok
}

// add takes an id that is not in the set.
func (s *idSet) add(id int64) {
	last := len(s.runs) - 1
	switch {
	case last < 0 || id > s.runs[last].last+1:
		s.runs = append(s.runs, idRun{first: id, last: id})
	case id == s.runs[last].last+1:
		s.runs[last].last = id
	default:
		if s.others == nil {
			s.others = make(map[int64]struct{})
		}
		s.others[id] = struct{}{}
	}
}
