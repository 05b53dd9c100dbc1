"""One small file per language: what a reader would want to find in it, under which name. Long, since the languages are many."""

from __future__ import annotations

JAVA = """\
package a.b;

import java.util.List;

/** Does it. */
@Service
public class Account extends Base {
    private int balance;

    /** Makes it. */
    public Account(int b) {
        super();
        this.balance = b;
        log(b);
    }

    @Override
    public int pay(int amount) {
        if (amount > balance) {
            throw new X();
        }
        return balance -= amount;
    }

    enum Kind { A, B }
}

interface Payer {
    int pay(int a);
}
"""

C = """\
#ifndef A_H
#define A_H
#include <stdio.h>

struct list {
    struct list *next;
    int v;
    int w;
};

enum color { RED,
    GREEN,
    BLUE,
    X };

#define SQUARE(x) ((x) * \\
   (x))

/* Adds. */
static inline int *add(struct list *l,
                int v)
{
    l->v += v;
    return &l->v;
}

#ifdef DEBUG
void dump(struct list *l) {
    for (; l; l = l->next)
        printf("%d", l->v);
    puts("");
}
#endif
#endif
"""

CPP = """\
#include <vector>
#define MAX 3

namespace bank {

/// An account.
class Account : public Base {
public:
    explicit Account(int b) : balance_(b) {
        check();
        check();
    }
    int balance() const { return balance_; }
    void pay(int amount) {
        if (amount) {
            balance_ -= amount;
        }
    }
private:
    int balance_;
    int a, b;
};

template <typename T>
T* Account::convert(const T& in) {
    T* out = new T(in);
    out->x = 1;
    return out;
}

bool operator==(const Account& a, const Account& b) {
    return a.balance() ==
        b.balance() &&
        true;
}

}  // namespace bank

typedef struct node {
    struct node *next;
    int value;
    char *name;
} node_t;

static int main_loop(int argc, char **argv)
{
    struct node n;
    while (argc--) { puts(argv[argc]); }
    return 0;
}
"""

CS = """\
using System;

namespace App.Core {
    /// <summary>Orders.</summary>
    [Serializable]
    public class OrderService : IService {
        private readonly int count;

        public OrderService(int c) {
            count = c;
            Check();
            Check();
        }

        public async Task<int> PlaceAsync(Order o) {
            var x = await Load(o);
            if (x == null) throw new Exception();
            return x.Id;
        }

        public string Name {
            get { return name; }
            set { name = value; }
        }
    }

    public interface IService { int A(); }
    public record Person(string Name);
}
"""

GO = """\
// Package a does.
package a

import "fmt"

// Server serves.
type Server struct {
	Name string
	Port int
	Host string
}

const Max = 3

// Run runs it.
func (s *Server) Run(ctx context.Context) error {
	fmt.Println(s)
	fmt.Println(s)
	return nil
}

func New[T any](name string) *Server {
	s := &Server{}
	s.Name = name
	return s
}
"""

JS = """\
'use strict';
const a = require('a');

/** Parses. */
function parse(text) {
  const x = text.trim();
  if (!x) return null;
  return JSON.parse(x);
}

exports.format = function (x) {
  const y = String(x);
  log(y);
  return y;
};

Foo.prototype.bar = function () {
  const y = 1;
  log(y);
  return y;
};

const routes = {
  home: '/',
  about: '/about',
  api: '/api',
  user: '/user',
  x: '/x',
};

const Button = React.memo(({ label }) => {
  const [s, set] = useState(0);
  return <b onClick={() => set(s + 1)}>{label}</b>;
});

module.exports = { parse, routes };
"""

JSON = """\
{
  "name": "x",
  "scripts": {
    "build": "tsc",
    "test": "jest",
    "lint": "eslint",
    "a": "b"
  },
  "deps": {"a": "1"}
}
"""

KT = """\
package a

import b.C

/** A repo. */
@Inject
class UserRepository(private val db: Db) : Repo {
    private val cache = mutableMapOf<Int, User>()

    // finds
    fun find(id: Int): User? {
        val c = cache[id]
        if (c != null) return c
        return db.find(id)
    }

    companion object {
        fun create(): UserRepository {
            val d = Db()
            d.open()
            return UserRepository(d)
        }
    }
}

interface Repo { fun find(id: Int): User? }

object Single {
    val x = 1
    val y = 2
    val z = 3
}

fun String.shout(): String {
    val a = this.uppercase()
    val b = a + "!"
    return b
}
"""

LUA = """\
local M = {}

-- Adds.
function M.add(a, b)
  local c = a + b
  print(c)
  return c
end

function M:sub(a)
  local d = self.x - a
  print(d)
  return d
end

local function helper(x)
  local y = x
  print(y)
  return y
end

M.mul = function(a, b)
  local c = a * b
  print(c)
  return c
end

return M
"""

PHP = """\
<?php
namespace App\\Model;

use Foo\\Bar;

/**
 * A user.
 */
final class User extends Model implements A
{
    private string $name;

    public function __construct(string $name)
    {
        $this->name = $name;
        parent::__construct();
    }

    #[Route('/x')]
    public static function find(int $id): ?self
    {
        $r = self::query($id);
        return $r;
    }
}

function helper(int $a): int {
    $b = $a + 1;
    return $b;
}
"""

RB = """\
require 'set'

module Bank
  # An account.
  class Account < Base
    attr_reader :balance

    def initialize(balance)
      @balance = balance
      check
      check
    end

    def self.open(name)
      a = new(0)
      a.name = name
      a
    end

    # Pays.
    def pay!(amount)
      raise X if amount > @balance
      @balance -= amount
      self
    end
  end
end
"""

RS = """\
use std::fmt;

/// A point.
#[derive(Debug)]
pub struct Point<T> {
    x: T,
    y: T,
}

impl<T: Copy> Point<T> {
    /// Makes one.
    #[inline]
    pub fn new(x: T, y: T) -> Self {
        let a = x;
        let b = y;
        Point { x: a, y: b }
    }

    fn swap(&mut self) {
        let t = self.x;
        self.x = self.y;
        self.y = t;
    }
}

mod tests {
    #[test]
    fn works() {
        let p = super::Point::new(1, 2);
        assert_eq!(p.x, 1);
        assert_eq!(p.y, 2);
        assert_eq!(p.y, 2);
        assert_eq!(p.y, 2);
        assert_eq!(p.y, 2);
        assert_eq!(p.y, 2);
        assert_eq!(p.y, 2);
        assert_eq!(p.y, 2);
        assert_eq!(p.y, 2);
        assert_eq!(p.y, 2);
    }
}

macro_rules! square {
    ($x:expr) => {
        $x * $x
    };
}
"""

SCALA = """\
package a.b

import scala.collection._

/** Orders. */
class OrderService(db: Db) extends Service {
  val x = 1

  def place(o: Order): Int = {
    val a = db.load(o)
    if (a == null) throw new X
    a.id
  }

  def cancel(o: Order): Unit = {
    val a = db.load(o)
    db.delete(a)
    db.commit()
  }
}

object OrderService {
  def apply() = new OrderService(null)
  val y = 2
  val z = 3
}

trait Service { def place(o: Order): Int }
"""

SH = """\
#!/usr/bin/env bash
set -eu
X=1

# Deploys it.
deploy() {
    local a="$1"
    rsync "$a" there
    echo done
}

function rollback {
    echo back
    echo back
    echo back
}

deploy "$@"
"""

SQL = """\
-- Users.
CREATE TABLE app.users (
    id bigint PRIMARY KEY,
    name text NOT NULL,
    mail text
);

CREATE INDEX users_by_name ON users (name);

CREATE OR REPLACE FUNCTION total(a int) RETURNS int AS $$
BEGIN
    SELECT 1;
    RETURN a + 1;
END;
$$ LANGUAGE plpgsql;

CREATE VIEW active AS
SELECT *
FROM users
WHERE id > 1;

SELECT a FROM b;
"""

SWIFT = """\
import Foundation

/// A view.
@objc
public class View: NSObject {
    var size: Int = 0

    init(size: Int) {
        self.size = size
        super.init()
        layout()
    }

    func layout() {
        size += 1
        size += 2
        print(size)
    }
}

struct Point {
    var x: Int
    var y: Int
    var z: Int
}

extension View {
    func redraw(in rect: Rect) -> Bool {
        let a = rect
        print(a)
        return true
    }
    func redraw2(in rect: Rect) -> Bool {
        let a = rect
        print(a)
        return true
    }
    func redraw3(in rect: Rect) -> Bool {
        let a = rect
        print(a)
        return true
    }
}

protocol Drawable {
    func draw()
    var a: Int { get }
    func b()
}
"""

TF = """\
resource "aws_s3_bucket" "logs" {
  bucket = "x"
  acl = "private"
  tags = {}
}
"""

TS = """\
import { x } from 'y';
import z from 'z';

/** A store. */
@Injectable()
export class Store<T> extends Base {
  private readonly items: T[] = [];

  constructor(private a: string) {
    super();
    this.a = a;
    console.log(a);
  }

  // Adds one.
  async add(item: T): Promise<void> {
    this.items.push(item);
    await this.flush();
    return;
  }

  onClick = (e: Event) => {
    e.preventDefault();
    this.add(null);
    return 1;
  };
}

export interface Shape {
  area(): number;
  name: string;
}

export type Id = string | number;

export const load = async (id: Id) => {
  const r = await fetch(id);
  if (!r) throw 1;
  return r;
};

export default function main() {
  return load(1);
  // done
  // really
}

namespace Util {
  export function helper(a: number) {
    const b = a + 1;
    const c = b + 1;
    return c;
  }
}

describe('store', () => {
  it('adds', () => {
    expect(1).toBe(1);
  });
});
"""

TSX = """\
import React from 'react';

export const Card: React.FC<Props> = ({ title }) => {
  const x = 1;
  return (
    <div>{title}</div>
  );
};

export default React.forwardRef(function Inner(props, ref) {
  const y = 2;
  log(y);
  return <i ref={ref} />;
});
"""

YAML = """\
version: 3
services:
  web:
    image: nginx
    ports:
      - "80:80"
    deploy:
      replicas: 3
  db:
    image: postgres
    environment:
      A: 1
      B: 2
      C: 3
volumes:
  data: {}
"""
