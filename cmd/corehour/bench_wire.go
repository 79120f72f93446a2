package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// wire is one keep-alive connection that sends requests and reads answers, one
// after the other. It knows as much of HTTP/1.1 (RFC 9112) as Go's server uses
// to answer a POST: a status line, fields, and a body of a given length or in
// chunks. net/http's client takes as much processor time as the server that is
// to be measured on the same machine.
type wire struct {
	conn    net.Conn
	reader  *bufio.Reader
	request []byte
	head    []byte // of each request, up to the length of its body
	body    []byte // of the newest answer
}

const (
	wireBuffer  = 64 << 10
	wireTimeout = 30 * time.Second
	// maxWireBody bounds an answer, in case a length is misread.
	maxWireBody = 64 << 20
)

func dialWire(address, path, token string) (*wire, error) {
	conn, err := net.DialTimeout("tcp", address, wireTimeout)
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: ", path, address, token)
	return &wire{conn: conn, reader: bufio.NewReaderSize(conn, wireBuffer), head: []byte(head)}, nil
}

func (w *wire) close() error { return w.conn.Close() }

// post sends a body and reads the answer; w.body holds it until the next post.
func (w *wire) post(body []byte) (status int, err error) {
	w.request = append(w.request[:0], w.head...)
	w.request = strconv.AppendInt(w.request, int64(len(body)), 10)
	w.request = append(append(w.request, "\r\n\r\n"...), body...)
	if err := w.conn.SetDeadline(time.Now().Add(wireTimeout)); err != nil {
		return 0, err
	}
	if _, err := w.conn.Write(w.request); err != nil {
		return 0, err
	}
	return w.answer()
}

func (w *wire) answer() (status int, err error) {
	line, err := w.line()
	if err != nil {
		return 0, err
	}
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, fmt.Errorf("not an answer of HTTP/1.1: %.40q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, fmt.Errorf("not a status: %.40q", line)
	}
	length, chunked := -1, false
	for {
		if line, err = w.line(); err != nil {
			return 0, err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, fmt.Errorf("not a length: %.40q", line)
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		}
	}
	w.body = w.body[:0]
	switch {
	case chunked:
		return status, w.chunks()
	case length < 0:
		return 0, errors.New("the answer has no length")
	}
	return status, w.take(length)
}

// line is the next line without its end; it is valid until the next read.
func (w *wire) line() ([]byte, error) {
	line, err := w.reader.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
}

// take appends so many bytes to the body.
func (w *wire) take(n int) error {
	at := len(w.body)
	if n < 0 || at+n > maxWireBody {
		return fmt.Errorf("an answer of %d bytes", at+n)
	}
	if cap(w.body) < at+n {
		w.body = append(make([]byte, 0, 2*(at+n)), w.body...)
	}
	w.body = w.body[:at+n]
	_, err := io.ReadFull(w.reader, w.body[at:])
	return err
}

func (w *wire) chunks() error {
	for {
		line, err := w.line()
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(string(line), 16, 32)
		if err != nil {
			return fmt.Errorf("not the size of a chunk: %.40q", line)
		}
		if err := w.take(int(size)); err != nil {
			return err
		}
		if line, err = w.line(); err != nil {
			return err
		}
		if len(line) != 0 {
			return fmt.Errorf("a chunk does not end where it should: %.40q", line)
		}
		if size == 0 {
			return nil
		}
	}
}
