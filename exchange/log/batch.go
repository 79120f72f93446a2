package log

import (
	"crypto/sha256"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/canonical"
)

// Hash is a SHA-256.
type Hash [sha256.Size]byte

// String writes the hash in hexadecimal.
func (h Hash) String() string { return fmt.Sprintf("%x", h[:]) }

// HashOf is the hash of a batch's bytes.
func HashOf(payload []byte) Hash { return sha256.Sum256(payload) }

// Batch is one message of the log. Its hash covers every byte of it, Previous
// among them, so the hash of the newest batch stands for the whole log.
type Batch struct {
	Version uint8 `cbor:"1,keyasint"`
	// Writer is the node that appended it.
	Writer string `cbor:"2,keyasint"`
	// Previous is the hash of the batch before, zero for the first one.
	Previous Hash    `cbor:"3,keyasint"`
	Entries  []Entry `cbor:"4,keyasint"`
	// Before is how many commands the log holds before this batch. Batches of
	// version 1 do not say.
	Before uint64 `cbor:"5,keyasint,omitempty"`
}

// Entry is one command with the time that it was given.
type Entry struct {
	_    struct{} `cbor:",toarray"`
	Kind uint8
	At   corehour.Instant
	Body cbor.RawMessage
}

// Version is that of the batches which this program writes; it also reads 1.
const Version = 2

// Limits of one batch.
const (
	// MaxCommands bounds the commands of one batch.
	MaxCommands = 4096
	// MaxCommandBytes bounds one encoded command.
	MaxCommandBytes = 64 << 10
	// MaxBytes bounds one batch. NATS refuses messages of more than a megabyte
	// unless told otherwise.
	MaxBytes = 768 << 10
	// EntryOverhead is more than an entry takes besides its body.
	EntryOverhead = 24
)

// Position is a point of the log: after the batch of a sequence, which has a
// hash, and how many commands there are up to there. The zero Position is before
// the first batch.
type Position struct {
	Sequence uint64 `cbor:"1,keyasint,omitempty"`
	Hash     Hash   `cbor:"2,keyasint,omitempty"`
	Commands uint64 `cbor:"3,keyasint,omitempty"`
}

// Encode makes the batch that follows the position, and gives the position after
// it.
func (p Position) Encode(writer string, entries []Entry) (payload []byte, after Position) {
	payload = canonical.Marshal(&Batch{Version: Version, Writer: writer, Previous: p.Hash, Entries: entries, Before: p.Commands})
	return payload, p.after(payload, len(entries))
}

func (p Position) after(payload []byte, commands int) Position {
	return Position{Sequence: p.Sequence + 1, Hash: HashOf(payload), Commands: p.Commands + uint64(commands)}
}

// Follow reads a message of the log and checks that it is the batch that follows
// the position. What is wrong is named by its sequence, with CodeCorrupt.
func (p Position) Follow(sequence uint64, payload []byte) (Batch, Position, error) {
	b, err := Decode(payload)
	switch {
	case err != nil:
		return b, p, Corrupt(sequence, err.Error())
	case sequence != p.Sequence+1:
		return b, p, Corrupt(p.Sequence+1, fmt.Sprintf("the batch is missing from the log, the next one is %d", sequence))
	case b.Previous != p.Hash:
		return b, p, Corrupt(sequence, "the batch does not follow the one before it: one was altered, lost, doubled or reordered")
	case b.Version > 1 && b.Before != p.Commands:
		return b, p, Corrupt(sequence, fmt.Sprintf("the batch says that %d commands came before it, the log has %d", b.Before, p.Commands))
	}
	return b, p.after(payload, len(b.Entries)), nil
}

// Follows is the position that the batch of a sequence says it follows.
func (b *Batch) Follows(sequence uint64) Position {
	return Position{Sequence: sequence - 1, Hash: b.Previous, Commands: b.Before}
}

// Decode reads one message of the log; it knows nothing about the chain.
func Decode(payload []byte) (Batch, error) {
	var b Batch
	if err := canonical.Unmarshal(payload, &b); err != nil {
		return b, fmt.Errorf("the batch does not decode: %w", err)
	}
	if b.Version < 1 || b.Version > Version {
		return b, fmt.Errorf("the batch has version %d, this program reads 1 to %d", b.Version, Version)
	}
	return b, nil
}

// CodeCorrupt says that the log, or what was written from it, is not what it was.
// A node that finds it refuses to run.
const CodeCorrupt corehour.Code = "log_corrupt"

// Corrupt is the error of a log that does not hold from a sequence on.
func Corrupt(sequence uint64, message string) error {
	return corehour.Errorf(corehour.KindInternal, CodeCorrupt, "log sequence %d: %s", sequence, message)
}

func unavailable(message string, err error) error {
	return &corehour.Error{Kind: corehour.KindUnavailable, Code: corehour.CodeUnavailable, Message: message, Err: err}
}
