package exchange

import (
	"crypto/sha256"

	"github.com/corehour/corehour"
)

// keptKey identifies a command that must happen once: the account, the kind of
// command and the name that the client gave it.
type keptKey struct {
	account corehour.AccountID
	kind    Kind
	key     string
}

// keptReply is the answer that every repeat gets, and the digest by which a
// repeat is told from another command under the same name.
type keptReply struct {
	body  [sha256.Size]byte
	reply []byte
}

func (s *State) keyOf(cmd Command) (keptKey, bool) {
	var key keptKey
	switch c := cmd.(type) {
	case PlaceOffer:
		key = keptKey{c.Provider, KindPlaceOffer, c.ClientID}
	case PlaceBid:
		key = keptKey{c.Consumer, KindPlaceBid, c.ClientID}
	case PlaceBidGroup: // its client id is one among those of bids
		key = keptKey{c.Consumer, KindPlaceBid, c.ClientID}
	case Deposit:
		key = keptKey{c.Account, KindDeposit, c.Reference}
	case PayOut:
		key = keptKey{c.Account, KindPayOut, c.Reference}
	case PostBond:
		key = keptKey{c.Account, KindPostBond, c.Reference}
	case ReleaseBond:
		key = keptKey{c.Account, KindReleaseBond, c.Reference}
	}
	if key.key == "" || s.accountNamed[key.account] == nil {
		return key, false
	}
	return key, true
}

// recall gives the answer of an earlier command of that name: the same answer if
// it is the same command, a conflict if it is another one.
func (s *State) recall(key keptKey, body []byte) (Reply, bool) {
	kept, ok := s.kept[key]
	if !ok || s.forgetful {
		return Reply{}, false
	}
	if kept.body != sha256.Sum256(body) {
		return reject(CodeKeyReused, "client_id", "this name was used before for another request"), true
	}
	reply := kept.decode()
	reply.Repeat = true
	return reply, true
}

func (k *keptReply) decode() (reply Reply) {
	if err := unmarshal(k.reply, &reply); err != nil {
		panic("exchange: a kept reply does not decode: " + err.Error())
	}
	return reply
}

func (s *State) keep(key keptKey, body []byte, reply Reply) {
	s.kept[key] = keptReply{body: sha256.Sum256(body), reply: marshal(&reply)}
}
