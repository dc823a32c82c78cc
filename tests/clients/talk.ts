// What a phone does, with a client that was generated from the OpenAPI document and not edited.

import assert from 'node:assert/strict'
import {randomUUID} from 'node:crypto'
import {readdir, readFile} from 'node:fs/promises'
import {setTimeout} from 'node:timers/promises'
import createClient from 'openapi-fetch'
import type {components, paths} from './schema.js'

type PostInThread = components['schemas']['PostInThread']

const [address, mailbox, thread, posts] = process.argv.slice(2) as [string, string, string, string]
const id = Number(thread)
const forum = createClient<paths>({baseUrl: address})
const person = {handle: 'typist', email: 'typist@example.org', password: 'four quiet herons dancing'}

// The token of the link that was mailed to this address.
async function mailedToken(to: string): Promise<string> {
  for (let tries = 0; tries < 300; tries++) {
    for (const file of await readdir(mailbox).catch(() => [])) {
      const mail = file.endsWith('.eml') ? await readFile(`${mailbox}/${file}`, 'utf8') : ''
      const link = /email-verifications#([\w-]+)/.exec(mail)
      if (mail.includes(to) && link?.[1]) return link[1]
    }
    await setTimeout(100)
  }
  throw new Error('no mail came')
}

// A post has words, a tombstone has none: `visibility` tells which of the two it is.
function wordsOf(post: PostInThread): string | null {
  switch (post.visibility) {
    case 'visible':
    case 'held':
      return post.body_markdown
    case 'withdrawn':
    case 'removed':
      return null
  }
}

// Join, and join again: the answer to the first request was lost.
const once = {'Idempotency-Key': randomUUID()}
const newcomer = {...person, name: 'Typist'}
const joined = await forum.POST('/api/v1/members', {body: newcomer, params: {header: once}})
const again = await forum.POST('/api/v1/members', {body: newcomer, params: {header: once}})
assert.equal(joined.response.status, 201)
assert.equal(again.data?.id, joined.data?.id)
const taken = await forum.POST('/api/v1/members', {body: newcomer})
assert.equal(taken.error?.code, 'handle_taken')

// Verify the address, and sign in.
const token = await mailedToken(person.email)
const verified = await forum.POST('/api/v1/email-verifications/confirmation', {body: {token}})
assert.equal(verified.response.status, 204)
const session = await forum.POST('/api/v1/sessions', {body: {login: person.handle, password: person.password}})
const bearer = session.data?.token
assert.ok(bearer)
forum.use({onRequest: ({request}) => request.headers.set('Authorization', `Bearer ${bearer}`)})

// Read the thread to its end.
const read: PostInThread[] = []
let after: string | undefined
do {
  const query = after === undefined ? {} : {after}
  const page = await forum.GET('/api/v1/threads/{id}/posts', {params: {path: {id}, query}})
  assert.ok(page.data)
  read.push(...page.data.items)
  after = page.data.next ?? undefined
} while (after !== undefined)
assert.equal(read.length, Number(posts))
assert.deepEqual(read.filter((post) => wordsOf(post) === null).map((post) => post.visibility), ['withdrawn'])
const boards = await forum.GET('/api/v1/boards')
assert.equal(boards.data?.next, null)

// Reply, and reply again.
const path = {id}
const key = {'Idempotency-Key': 'typist-1'}
const body = {body_markdown: 'Hello from a generated client.'}
const reply = await forum.POST('/api/v1/threads/{id}/posts', {params: {path, header: key}, body})
const same = await forum.POST('/api/v1/threads/{id}/posts', {params: {path, header: key}, body})
assert.ok(reply.data && reply.data.visibility === 'visible')
assert.equal(same.data?.id, reply.data.id)

// Edit, and edit what is no longer on the screen.
const mine = {path: {id: reply.data.id}}
const edit = {revision: reply.data.revision, body_markdown: 'Hello again.'}
const edited = await forum.PATCH('/api/v1/posts/{id}', {params: mine, body: edit})
assert.ok(edited.data && edited.data.visibility === 'visible')
const stale = await forum.PATCH('/api/v1/posts/{id}', {params: mine, body: {...edit, body_markdown: 'Hello at last.'}})
assert.deepEqual([stale.error?.status, stale.error?.code, stale.error?.current], [409, 'post_changed', 2])

// Report the first post.
const first = read[0]
assert.ok(first)
const report = await forum.POST('/api/v1/posts/{id}/reports', {
  params: {path: {id: first.id}, header: {'Idempotency-Key': 'typist-2'}},
  body: {category: 'other', note: 'Please look.', revision: 1},
})
assert.equal(report.data?.category, 'other')
assert.equal(report.data?.outcome, null)
