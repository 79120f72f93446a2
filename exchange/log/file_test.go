package log_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/corehour/corehour/exchange/log"
)

func writeFile(t *testing.T, from log.Position, payloads [][]byte) ([]byte, log.Position) {
	t.Helper()
	var file bytes.Buffer
	w, err := log.NewFileWriter(&file, from)
	if err != nil {
		t.Fatal(err)
	}
	for i, payload := range payloads {
		if err := w.Add(from.Sequence+uint64(i+1), payload); err != nil {
			t.Fatal(err)
		}
	}
	to, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return file.Bytes(), to
}

func readFile(file []byte) (payloads [][]byte, from, to log.Position, err error) {
	from, to, err = log.ReadFile(bytes.NewReader(file), func(_ log.Position, _ uint64, payload []byte) error {
		payloads = append(payloads, payload)
		return nil
	})
	return payloads, from, to, err
}

func TestFile_GivesBackWhatWasWritten(t *testing.T) {
	payloads, end := chain(2, 0, 3)
	_, middle, err := log.Position{}.Follow(1, payloads[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		from     log.Position
		payloads [][]byte
		to       log.Position
	}{{log.Position{}, payloads, end}, {middle, payloads[1:], end}, {middle, nil, middle}} {
		file, _ := writeFile(t, test.from, test.payloads)
		read, from, to, err := readFile(file)
		if err != nil || from != test.from || to != test.to || len(read) != len(test.payloads) {
			t.Errorf("%d batches from %+v to %+v (%v)", len(read), from, to, err)
		}
	}
}

func TestFile_DoesNotTakeABatchThatDoesNotFollow(t *testing.T) {
	payloads, _ := chain(1, 1)
	w, err := log.NewFileWriter(&bytes.Buffer{}, log.Position{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add(1, payloads[1]); err == nil {
		t.Error("the second batch is taken for the first")
	}
}

func TestFile_EveryFlippedBitAndEveryCutIsSeen(t *testing.T) {
	payloads, _ := chain(2, 1)
	file, _ := writeFile(t, log.Position{}, payloads)
	for i := range file {
		for bit := range 8 {
			file[i] ^= 1 << bit
			if _, _, _, err := readFile(file); err == nil {
				t.Fatalf("byte %d, bit %d", i, bit)
			}
			file[i] ^= 1 << bit
		}
		if _, _, _, err := readFile(file[:i]); err == nil {
			t.Fatalf("cut at byte %d", i)
		}
	}
	if _, _, _, err := readFile(file[:len(file)-1]); !errors.Is(err, log.ErrCut) {
		t.Errorf("a cut is called %v", err)
	}
	if _, _, _, err := readFile(append(file, 0)); err == nil {
		t.Error("what follows the end passes")
	}
}
