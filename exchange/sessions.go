package exchange

import (
	"container/list"
	"fmt"
	"slices"

	"github.com/corehour/corehour"
)

// session is a client at work: while it is alive, the orders that it placed stay.
type session struct {
	number             uint64
	owner              *account
	name               corehour.SessionID
	timeout            corehour.Seconds // zero is for ever
	cancelOnDisconnect bool
	openedAt           corehour.Instant
	endsAt             corehour.Instant // where no heartbeat comes before; zero is never
	bids, offers       list.List        // in the order of their ids
}

func (x *session) orders() int { return x.bids.Len() + x.offers.Len() }

// beat puts the end off. The deadline in the heap stays where it is, and is put
// off when its time comes (sessionIsDue), so that a heartbeat costs next to nothing.
func (x *session) beat(now corehour.Instant) {
	if x.timeout > 0 {
		x.endsAt = now + x.timeout.Instant()
	}
}

func (a *account) session(name corehour.SessionID) *session {
	for _, x := range a.sessions {
		if x.name == name {
			return x
		}
	}
	return nil
}

// sessionFor is the session that new orders name, nil where they name none.
func (a *account) sessionFor(name corehour.SessionID, orders int) (*session, Reply) {
	if name == "" {
		return nil, Reply{}
	}
	x := a.session(name)
	switch {
	case x == nil:
		return nil, unknownSession()
	case x.orders()+orders > MaxSessionOrders:
		return nil, reject(CodeTooMany, "session", fmt.Sprintf("a session has at most %d open orders", MaxSessionOrders))
	}
	return x, Reply{}
}

func unknownSession() Reply {
	return reject(CodeUnknownSession, "session", "there is no such open session")
}

func (s *State) openSession(c OpenSession) Reply {
	a := s.accountNamed[c.Account]
	switch {
	case a == nil:
		return reject(CodeUnknownAccount, "account", "there is no such account")
	case !corehour.ValidName(c.Session):
		return badName("session")
	case c.Timeout < 0 || c.Timeout > MaxSessionTimeout:
		return reject(CodeOutOfRange, "timeout_seconds", "a timeout is 0 to 86400 seconds")
	}
	x := a.session(c.Session)
	switch {
	case x != nil && (x.timeout != c.Timeout || x.cancelOnDisconnect != c.CancelOnDisconnect):
		return reject(CodeSessionExists, "session", "this session is open with other terms")
	case x != nil:
		x.beat(s.now)
		return Reply{Repeat: true, Until: x.endsAt}
	case len(a.sessions) >= MaxSessionsOfAccount:
		return reject(CodeTooMany, "session", fmt.Sprintf("an account has at most %d open sessions", MaxSessionsOfAccount))
	case len(s.sessions) >= MaxSessions:
		return reject(CodeTooMany, "session", fmt.Sprintf("the exchange has at most %d open sessions", MaxSessions))
	}
	s.lastSession++
	x = &session{
		number: s.lastSession, owner: a, name: c.Session, timeout: c.Timeout,
		cancelOnDisconnect: c.CancelOnDisconnect, openedAt: s.now,
	}
	x.beat(s.now)
	s.addSession(x)
	s.emit(corehour.EventSessionOpened, x.subject(), corehour.SessionOpened(c))
	return Reply{Until: x.endsAt}
}

// addSession is for a new session and for one of a snapshot.
func (s *State) addSession(x *session) {
	s.sessions[x.number] = x
	x.owner.sessions = append(x.owner.sessions, x)
	if x.endsAt > 0 {
		s.schedule(x.endsAt, sessionTimesOut, x.number)
	}
}

// subject names the session in events; a name holds no slash.
func (x *session) subject() string { return string(x.owner.id) + "/" + string(x.name) }

func (s *State) heartbeat(c Heartbeat) Reply {
	x, refusal := s.openedSession(c.Account, c.Session)
	if refusal.Rejected() {
		return refusal
	}
	x.beat(s.now)
	return Reply{Until: x.endsAt}
}

func (s *State) closeSession(c CloseSession) Reply {
	x, refusal := s.openedSession(c.Account, c.Session)
	if refusal.Rejected() {
		return refusal
	}
	return s.endSession(x, corehour.SessionClosedByOwner, x.cancelOnDisconnect)
}

func (s *State) openedSession(id corehour.AccountID, name corehour.SessionID) (*session, Reply) {
	a := s.accountNamed[id]
	if a == nil {
		return nil, reject(CodeUnknownAccount, "account", "there is no such account")
	}
	if x := a.session(name); x != nil {
		return x, Reply{}
	}
	return nil, unknownSession()
}

// sessionIsDue ends a session that nobody kept alive; one with a later end by now
// is looked at then.
func (s *State) sessionIsDue(due deadline) {
	switch x := s.sessions[due.id]; {
	case x == nil:
	case x.endsAt > due.at:
		s.schedule(x.endsAt, sessionTimesOut, x.number)
	default:
		s.endSession(x, corehour.SessionTimedOut, true)
	}
}

// endSession forgets a session. Its open orders are taken back, or are of no
// session any more.
func (s *State) endSession(x *session, why corehour.SessionEnd, cancel bool) Reply {
	orders := x.orders()
	if cancel {
		var all Reply // MaxSessionOrders are no more than may be closed at once
		s.takeBackBids(&x.bids, "", corehour.CloseSessionEnded, &all)
		s.takeBackOffers(&x.offers, "", corehour.CloseSessionEnded, &all)
	}
	for e := x.bids.Front(); e != nil; e = e.Next() {
		b := e.Value.(*bid)
		b.session, b.inSession, b.Session = nil, nil, ""
	}
	for e := x.offers.Front(); e != nil; e = e.Next() {
		o := e.Value.(*offer)
		o.session, o.inSession, o.Session = nil, nil, ""
	}
	delete(s.sessions, x.number)
	x.owner.sessions = slices.DeleteFunc(x.owner.sessions, func(other *session) bool { return other == x })
	s.emit(corehour.EventSessionClosed, x.subject(), corehour.SessionClosed{
		Account: x.owner.id, Session: x.name, Reason: why, Cancelled: cancel, Orders: int64(orders),
	})
	reply := Reply{}
	if cancel {
		reply.Cancelled = orders
	}
	return reply
}
