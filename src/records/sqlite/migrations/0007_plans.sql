-- Questions that went through all that is pending, or through all there is.
DROP INDEX confirmations_due;
CREATE INDEX confirmations_due ON confirmations (state, next_at);
CREATE INDEX confirmations_leased ON confirmations (conversation_id) WHERE lease IS NOT NULL;
CREATE INDEX attachments_by_type ON attachments (type, received_at DESC, id DESC);
CREATE INDEX attachments_by_door ON attachments (door, received_at DESC, id DESC);
