// Package baseline has the two servers that the product is measured against: a bare server for requests, and a plain proxy
// for streams.
package baseline

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/labstack/echo/v4"

	"github.com/supportbackend/support/internal/uuid7"
)

const (
	// ReadyPath responds as soon as either server is ready.
	ReadyPath = "/ready"
	// bareConns is the server's default number of connections.
	bareConns = 20
	bareLimit = 20
)

// bareTicket and bareMessage have the members of the server's tickets and messages.
type bareTicket struct {
	ID            uuid.UUID `json:"id"`
	Title         string    `json:"title"`
	Description   string    `json:"description"`
	Status        string    `json:"status"`
	AIMode        string    `json:"ai_mode"`
	UserID        uuid.UUID `json:"user_id"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
	LastMessageAt time.Time `json:"last_message_at"`
}

type bareMessage struct {
	ID        uuid.UUID `json:"id"`
	TicketID  uuid.UUID `json:"ticket_id"`
	Author    string    `json:"author"`
	Content   string    `json:"content"`
	IsAI      bool      `json:"is_ai"`
	CreatedAt time.Time `json:"created_at"`
}

// bare is the baseline for requests: the minimal Echo server with the same rows in the same tables. It trusts every
// caller, and checks, counts and logs nothing.
type bare struct {
	pool *pgxpool.Pool
	user uuid.UUID
}

// RunBare serves until ctx ends. Every caller is the same user.
func RunBare(ctx context.Context, addr, database, user string) error {
	config, err := pgxpool.ParseConfig(database)
	if err != nil {
		return err
	}
	config.MaxConns = bareConns
	b := bare{}
	if b.user, err = uuid.Parse(user); err != nil {
		return err
	}
	if b.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	defer b.pool.Close()
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.GET(ReadyPath, func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	e.GET("/tickets", b.list)
	e.POST("/tickets", b.create)
	e.GET("/tickets/:id", b.get)
	e.POST("/tickets/:id/messages", b.addMessage)
	stop := context.AfterFunc(ctx, func() { _ = e.Close() })
	defer stop()
	if err := e.Start(addr); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

const bareColumns = "id, title, description, status, ai_mode, user_id, created_at, updated_at, last_message_at"

func (b bare) list(c echo.Context) error {
	rows, err := b.pool.Query(c.Request().Context(),
		"SELECT "+bareColumns+" FROM tickets WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2", b.user, bareLimit)
	if err != nil {
		return err
	}
	tickets, err := pgx.CollectRows(rows, pgx.RowToStructByPos[bareTicket])
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, tickets)
}

func (b bare) create(c echo.Context) error {
	var body struct {
		Title       string `json:"title"`
		Description string `json:"description"`
	}
	if err := c.Bind(&body); err != nil {
		return err
	}
	rows, err := b.pool.Query(c.Request().Context(),
		"INSERT INTO tickets (id, user_id, title, description) VALUES ($1, $2, $3, $4) RETURNING "+bareColumns,
		uuid7.New(), b.user, body.Title, body.Description)
	if err != nil {
		return err
	}
	ticket, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[bareTicket])
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, ticket)
}

func (b bare) get(c echo.Context) error {
	ctx := c.Request().Context()
	rows, err := b.pool.Query(ctx, "SELECT "+bareColumns+" FROM tickets WHERE id = $1 AND user_id = $2", c.Param("id"), b.user)
	if err != nil {
		return err
	}
	var found struct {
		bareTicket
		Messages []bareMessage `json:"messages"`
	}
	if found.bareTicket, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[bareTicket]); err != nil {
		return err
	}
	rows, err = b.pool.Query(ctx, `SELECT id, ticket_id, author, content, author = 'ai', created_at FROM messages
		WHERE ticket_id = $1 ORDER BY created_at, id LIMIT 100`, found.ID)
	if err != nil {
		return err
	}
	if found.Messages, err = pgx.CollectRows(rows, pgx.RowToStructByPos[bareMessage]); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, found)
}

// addMessage neither locks nor changes the ticket, so two messages may get the same time, which the table refuses.
func (b bare) addMessage(c echo.Context) error {
	var body struct {
		Content string `json:"content"`
	}
	if err := c.Bind(&body); err != nil {
		return err
	}
	for {
		rows, err := b.pool.Query(c.Request().Context(), `
			INSERT INTO messages (id, ticket_id, author, author_id, content, created_at)
			VALUES ($1, $2, 'customer', $3, $4, clock_timestamp())
			ON CONFLICT DO NOTHING
			RETURNING id, ticket_id, author, content, author = 'ai', created_at`,
			uuid7.New(), c.Param("id"), b.user, body.Content)
		if err != nil {
			return err
		}
		message, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[bareMessage])
		if errors.Is(err, pgx.ErrNoRows) {
			continue
		}
		if err != nil {
			return err
		}
		return c.JSON(http.StatusCreated, message)
	}
}
